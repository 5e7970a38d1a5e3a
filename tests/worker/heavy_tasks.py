"""A task type that takes its time to load, notes each load, and fails or dies there on request."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from doneyet.task_types import TaskType

LOAD_S = 0.5


class Heavy(TaskType):
    """Sleeps for the seconds after the last `-` of its key."""

    name, endpoint = "heavy", "/heavy"

    class Input(BaseModel):
        key: str

    class Output(BaseModel):
        answer: str

    def load(self) -> None:
        folder = Path(os.environ["SAMPLE_RUNS"]).parent
        with (folder / "loads").open("a") as file:
            file.write(f"{os.getpid()}\n")
        if (folder / "broken").exists():
            raise OSError("the weights are not there")
        if (folder / "deadly").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        while (folder / "stuck").exists():
            time.sleep(0.02)
        time.sleep(LOAD_S)

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        time.sleep(float(inputs[0].key.rsplit("-", 1)[1]))
        return [self.Output(answer=item.key.upper()) for item in inputs]


class Light(TaskType):
    """Answers at once."""

    name, endpoint = "light", "/light"
    Input, Output = Heavy.Input, Heavy.Output

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [self.Output(answer=item.key.upper()) for item in inputs]


def task_types(_settings: object) -> list[TaskType]:
    """Both."""
    return [Heavy(), Light()]


def loads(folder: Path) -> int:
    """How many processes began to load it."""
    path = folder / "loads"
    return len(path.read_text().splitlines()) if path.exists() else 0
