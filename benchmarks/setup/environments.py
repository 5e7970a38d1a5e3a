"""Installs what the benchmarks compare with, each in an environment of its own in `.venv-bench`.

One for all would not do: the peers want versions of redis-py that exclude each other.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[1]
REQUIREMENTS = HERE / "requirements"
NODE_FOLDER = HERE
ROOT = HERE.parent / ".venv-bench"

SEED = "seed"


class NotInstalledError(Exception):
    """Raised when a peer cannot be installed here; says why."""


def python_of(name: str) -> str:
    """The interpreter that has what `requirements/<name>.txt` pins; installs it where it is not.

    Raises:
        NotInstalledError: pip did not manage.
    """
    pinned, folder = REQUIREMENTS / f"{name}.txt", ROOT / name
    stamp, python = folder / ".installed", folder / "bin" / "python"
    digest = _digest(pinned)
    if not (stamp.exists() and stamp.read_text() == digest):
        _say(f"Installing {name} into {folder.relative_to(HERE.parent)} ...")
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        _run([*pip, "--no-input", "-r", str(pinned)])
        stamp.write_text(digest)
    return str(python)


def node() -> str:
    """The node program, beside which the packages of `package.json` are installed by then.

    Raises:
        NotInstalledError: there is no node or npm, or npm did not manage.
    """
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        raise NotInstalledError("node and npm are not on PATH")
    stamp = NODE_FOLDER / "node_modules" / ".installed"
    digest = _digest(NODE_FOLDER / "package.json")
    if not (stamp.exists() and stamp.read_text() == digest):
        _say("Installing node's packages ...")
        # Its lock file would hold only what one platform's registry offered.
        options = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        _run([npm, "install", *options], NODE_FOLDER)
        stamp.write_text(digest)
    return program


def version_of(name: str, of: str = "") -> str:
    """The pinned version of the package `of`, or of the one called like the environment `name`."""
    for line in (REQUIREMENTS / f"{name}.txt").read_text().splitlines():
        package, _, version = line.partition("==")
        if package == (of or name):
            return version.split(" ")[0]
    return ""


def node_version_of(name: str) -> str:
    """The same for a package of `package.json`."""
    wanted = json.loads((NODE_FOLDER / "package.json").read_text())
    return str(wanted["dependencies"][name])


def _run(command: list[str], folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NotInstalledError(f"{command[0]} failed: {' '.join(last)}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes() + sys.version.encode()).hexdigest()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
