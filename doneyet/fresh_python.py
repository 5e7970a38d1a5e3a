"""How one of our programs starts another: a fresh interpreter that finds this same doneyet.

The folder that it is started in is not on its path: a user's `redis.py` or `worker.py` there stands
in nobody's place. Task modules are looked for in it, last (`doneyet.task_types.modules`).
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def python_command(module: str, *arguments: str) -> list[str]:
    """The command that runs `module`."""
    return [sys.executable, "-P", "-m", module, *arguments]


def python_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ`, and in a clone, which is nowhere installed, the clone on its Python path."""
    installed = [*site.getsitepackages(), site.getusersitepackages()]
    if any(Path(folder).resolve() == _ROOT for folder in installed):
        return dict(environ)
    path = os.pathsep.join(filter(None, (str(_ROOT), environ.get("PYTHONPATH"))))
    return {**environ, "PYTHONPATH": path}


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what it says of doneyet."""
    return {name: text for name, text in environ.items() if not name.startswith("DONEYET_")}
