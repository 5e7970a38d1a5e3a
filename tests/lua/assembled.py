"""The Lua scripts as Redis runs them, linted: `python -m tests.lua.assembled`.

Their parts and slots are in their places, so that whatever a header forgets, or a part needs of its
script, is found as an undefined variable.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from task_manager.redis.scripts.lua_script import FOLDER, OF_ALL_MODES, Script, script

CONFIG = Path(__file__).parents[2] / ".luacheckrc"


def all_scripts() -> Iterator[Script]:
    """Each script as each queue mode runs it; parts have no header that tells what they return."""
    for mode, folders in (
        ("random", ("random", *OF_ALL_MODES)),
        ("distributed", ("distributed", *OF_ALL_MODES)),
        ("rq", ("rq",)),
    ):
        names = {
            path.stem
            for folder in folders
            for path in sorted((FOLDER / folder).glob("*.lua"))
            if "-- returns " in path.read_text()
        }
        for name in sorted(names):
            yield script(mode, name)


def lint() -> int:
    """What luacheck says of all scripts: its exit code."""
    with TemporaryDirectory() as folder:
        for each in all_scripts():
            path = Path(folder, f"{each.name}.lua")
            path.parent.mkdir(exist_ok=True)
            path.write_text(each.source)
        command = ["luacheck", "-q", "--no-color", "--config", str(CONFIG), "."]
        return subprocess.run(command, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(lint())
