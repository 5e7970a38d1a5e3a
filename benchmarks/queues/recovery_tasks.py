"""A task that writes down when and where it runs, and goes on for long at its first run."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from doneyet.task_types import TaskType

HELD_S = 60.0


class Trace(BaseModel):
    """The file to write to."""

    path: str


class Traced(BaseModel):
    """How often the task has run."""

    runs: int


class Held(TaskType):
    """Adds a line (process, its parent, monotonic seconds) to a file; the first run lasts long."""

    name, endpoint = "held", "/held"
    Input, Output = Trace, Traced

    def run(self, inputs: Sequence[Trace]) -> list[Traced]:
        """The number of lines."""
        return [self._run_one(Path(item.path)) for item in inputs]

    def _run_one(self, path: Path) -> Traced:
        line = f"{os.getpid()} {os.getppid()} {time.monotonic()}\n"
        with path.open("a") as file:
            file.write(line)
        runs = len(path.read_text().splitlines())
        if runs == 1:
            time.sleep(HELD_S)
        return Traced(runs=runs)
