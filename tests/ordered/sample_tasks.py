"""Task types of the tests: what real handlers may do to the process that runs them."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tasks.base import TaskType


class Text(BaseModel):
    """Some text."""

    text: str


class Answer(BaseModel):
    """Which process answered, and how often it had loaded its type."""

    pid: int
    loads: int


class Sample(TaskType):
    """Counts its loads; what it does with a text is the subclass's."""

    name, endpoint = "sample", "/sample"
    Input, Output = Text, Answer

    def __init__(self) -> None:
        self.loads = 0

    def load(self) -> None:
        self.loads += 1

    def run(self, inputs: Sequence[Any]) -> Sequence[Answer]:
        for item in inputs:
            self.work(item.text)
        return [Answer(pid=os.getpid(), loads=self.loads)] * len(inputs)

    def work(self, text: str) -> None:
        """Nothing to do."""


class Suicidal(Sample):
    """Kills its process each time."""

    name, endpoint = "suicidal", "/suicidal"
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
            self.progress(0, 0.5, "half way")
            time.sleep(0.02)


class Slow(Sample):
    """Takes longer than it may, where an exception can reach it."""

    name, endpoint = "slow", "/slow"
    timeout_s = 0.3

    def work(self, text: str) -> None:
        time.sleep(60)


class Locked(Sample):
    """Holds the interpreter's lock for as many seconds as the text says."""

    name, endpoint = "locked", "/locked"
    timeout_s = 6.0

    def work(self, text: str) -> None:
        ctypes.PyDLL(None).usleep(int(float(text) * 1e6))


def task_types(settings: object) -> list[TaskType]:
    """One of each."""
    return [Sample(), Suicidal(), Gated(), Slow(), Locked()]
