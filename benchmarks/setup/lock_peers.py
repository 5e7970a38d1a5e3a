"""`python -m benchmarks.setup.lock_peers`: pins the newest versions of the peers.

Each has a file of its own, since no one version of redis-py suits them all. Needs `make lock` to
have been run once, for uv.
"""

from __future__ import annotations

import subprocess

from benchmarks.setup.environments import HERE, REQUIREMENTS

UV = HERE.parent / ".venv-lock" / "bin" / "uv"


def main() -> None:
    """Writes requirements/*.txt from requirements/*.in."""
    for wanted in sorted(REQUIREMENTS.glob("*.in")):
        options = [
            *("--quiet", "--upgrade", "--universal", "--python-version", "3.11"),
            *("--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
            *("--custom-compile-command", "python -m benchmarks.setup.lock_peers"),
        ]
        pinned = wanted.with_suffix(".txt")
        subprocess.run([UV, "pip", "compile", *options, wanted, "-o", pinned], check=True)


if __name__ == "__main__":
    main()
