"""Breaks a system in every way while clients of every kind ask it.

    make chaos                                        # two minutes, distributed
    make chaos ARGS="--seconds 600 --mode random"     # longer, another queue mode
    make chaos ARGS="--seed 7"                        # the same again

Prints what was broken, who was answered, and what was wrong; exits with 1 where anything was.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import run


def main() -> None:
    """One run."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument(
        "--mode", default="distributed", choices=("random", "distributed", "ordered")
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    chosen = parser.parse_args()
    print(f"{chosen.mode}, {chosen.seconds:g} s, --seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="doneyet-chaos-") as folder:
        outcome = run(chosen.mode, chosen.seconds, chosen.seed, Path(folder), tell=True)
    print("broken:  ", ", ".join(f"{name} {n}" for name, n in sorted(outcome.broken.items())))
    print("answered:", ", ".join(f"{name} {n}" for name, n in sorted(outcome.answered.items())))
    for each in outcome.wrong:
        print(f"wrong:    {each}")
    print("every promise was kept" if not outcome.wrong else f"{len(outcome.wrong)} were wrong")
    sys.exit(bool(outcome.wrong))


if __name__ == "__main__":
    main()
