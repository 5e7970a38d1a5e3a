"""A `docker` command whose containers stand in a file."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from autoscaler.compose import Compose

DOCKER = """#!{python}
import fcntl, json, os, pathlib, sys, time
path = pathlib.Path(os.environ["DOCKER_STATE"])
words = sys.argv[1:]
while words[0] == "stop" and pathlib.Path(f"{{path}}.busy").exists():
    time.sleep(0.02)
lock = open(f"{{path}}.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
state = {{"next": 1, "there": {{}}, "said": []}}
if path.exists():
    state = json.loads(path.read_text())
there = state["there"]
state["said"].append(" ".join(words))
if "ps" in words:
    rows = [dict(Name=name, ID=host + 52 * "0", State=now) for name, (host, now) in there.items()]
    print(json.dumps(rows) if "old" in state else "\\n".join(map(json.dumps, rows)))
elif "up" in words:
    service, number = words[words.index("--scale") + 1].split("=")
    while sum(now == "running" for _, now in there.values()) < int(number):
        there[f"p-{{service}}-{{state['next']}}"] = ["%012x" % state["next"], "running"]
        state["next"] += 1
elif words[0] == "stop":
    there[words[1]][1] = "exited"
elif words[0] == "rm":
    del there[words[-1]]
new = path.with_suffix(".new")
new.write_text(json.dumps(state))
new.replace(path)
sys.exit(state.get("refuse", 0))
"""
"""Does what is asked of Docker here, with containers that stand in a file."""


class Docker:
    """The `docker` command, and what it keeps."""

    def __init__(self, folder: Path) -> None:
        self.path, self._state = folder / "docker", folder / "state"
        self.uses: list[Compose] = []
        self.path.write_text(DOCKER.format(python=sys.executable))
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)
        self.busy = Path(f"{self._state}.busy")
        """While this is there, containers drain."""
        os.environ["DOCKER_STATE"] = str(self._state)

    @property
    def state(self) -> dict[str, Any]:
        """All that it keeps."""
        found: dict[str, Any] = json.loads(self._state.read_text())
        return found

    def change(self, **changed: object) -> None:
        """Of what it keeps."""
        state = self.state if self._state.exists() else {"next": 1, "there": {}, "said": []}
        self._state.write_text(json.dumps({**state, **changed}))

    def there(self) -> list[str]:
        """The names of containers that are there, whatever they do."""
        return [*self.state["there"]]
