"""Task types that tell which process answered, and what it may do to that process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from doneyet.task_types import RunContext, TaskType


class _Input(BaseModel):
    text: str


class _Output(BaseModel):
    pid: int
    loads: int


class Sample(TaskType):
    """Counts its loads; what it does with a text is the subclass's."""

    name, endpoint = "sample", "/sample"
    Input, Output = _Input, _Output

    def __init__(self) -> None:
        self.loads = 0

    def load(self) -> None:
        self.loads += 1

    def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:
        self._context = context
        self.work(inputs[0].text)
        return [_Output(pid=os.getpid(), loads=self.loads)]

    def work(self, text: str) -> None:
        """Nothing to do."""


class Deadly(Sample):
    """Kills its process each time."""

    name, endpoint = "deadly", "/deadly"
    max_attempts = 2

    def work(self, text: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Gated(Sample):
    """Adds a line to the file `text`, then runs until there is a file of this name with `.open`."""

    name, endpoint = "gated", "/gated"

    def work(self, text: str) -> None:
        with Path(text).open("a") as log:
            log.write(f"{os.getpid()}\n")
        while not Path(text + ".open").exists():
            self._context.progress(0, 0.5, "half way")
            time.sleep(0.02)


class Slow(Sample):
    """Takes longer than it may."""

    name, endpoint = "slow", "/slow"
    timeout_s = 3.0

    def work(self, text: str) -> None:
        time.sleep(60)


class NotThere(Sample):
    """Cannot be loaded where the environment says so."""

    name, endpoint = "not-there", "/not-there"

    def load(self) -> None:
        if "SAMPLE_NOT_THERE" in os.environ:
            raise FileNotFoundError("no such model")


def task_types(_settings: object) -> list[TaskType]:
    """One of each."""
    return [Sample(), Deadly(), Gated(), Slow(), NotThere()]
