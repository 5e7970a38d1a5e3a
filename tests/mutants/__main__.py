"""`python -m tests.mutants`: breaks each rule in turn, and tells which tests did not notice."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.entries import ROOT, Mutant, read_mutants

LONGEST_S = 300
"""A breakage that hangs its tests for so long was noticed."""

PASSED, FAILED = 0, 1  # exit codes of pytest; others say that the tests did not run


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every chosen mutant was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("areas", nargs="*", help="files of entries, such as lua; all if none")
    parser.add_argument("-k", default="", metavar="WORDS", help="only rules that contain this")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="how many at a time")
    options = parser.parse_args(argv)
    chosen = [
        mutant
        for mutant in read_mutants()
        if (not options.areas or mutant.area in options.areas)
        and options.k.lower() in mutant.rule.lower()
    ]
    if not chosen:
        print("No mutant is called that.")
        return 2
    with tempfile.TemporaryDirectory(prefix="doneyet-mutants-") as folder:
        copies = [_copy(Path(folder) / str(number)) for number in range(options.j)]
        return _baseline(copies[0], chosen, options.j) or _judge(copies, chosen)


def _copy(to: Path) -> Path:
    """The working tree without what git ignores, at `to`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # not one that is deleted, though not yet in a commit
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    return to


def _pytest(copy: Path, *arguments: str, limit_s: float | None = LONGEST_S) -> tuple[int, str]:
    """The exit code and what was printed."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    try:
        ran = subprocess.run(
            command, cwd=copy, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return FAILED, "hung"
    return ran.returncode, ran.stdout + ran.stderr


def _baseline(copy: Path, chosen: Sequence[Mutant], jobs: int) -> int:
    """0 when the tests pass on the sound code, else 2: one that fails anyway holds nothing."""
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    print(f"{len(tests)} tests on the code as it is ...", flush=True)
    code, output = _pytest(copy, "-n", str(jobs), *tests, limit_s=None)
    if code != PASSED:
        print(output[-4000:], "They must pass first.", sep="\n")
        return 2
    return 0


def _judge(copies: Sequence[Path], chosen: Sequence[Mutant]) -> int:
    """Breaks the rules one by one in each copy; prints and counts what came of it."""
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def judge(mutant: Mutant) -> tuple[Mutant, str, float, str]:
        copy, began_s = free.get(), time.monotonic()
        sound = (copy / mutant.file).read_text()
        try:
            mutant.apply(copy)
            code, output = _pytest(copy, "-x", *mutant.tests)
        finally:
            (copy / mutant.file).write_text(sound)
            free.put(copy)
        verdict = {PASSED: "SURVIVED", FAILED: "noticed"}.get(code, "UNUSABLE")
        return mutant, verdict, time.monotonic() - began_s, output

    bad = 0
    with ThreadPoolExecutor(len(copies)) as pool:
        waiting = [pool.submit(judge, mutant) for mutant in chosen]
        for number, done in enumerate(as_completed(waiting), 1):
            mutant, verdict, took_s, output = done.result()
            where = f"{number:3d}/{len(chosen)}  {verdict:8s} {took_s:5.1f} s"
            print(f"{where}  {mutant.area}: {mutant.rule}", flush=True)
            if verdict != "noticed":
                bad += 1
                print(output[-1500:] if verdict == "UNUSABLE" else f"    {' '.join(mutant.tests)}")
    print(f"{len(chosen)} mutants, {len(chosen) - bad} noticed, {bad} survived or unusable")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
