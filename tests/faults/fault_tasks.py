"""Task types that are slow, deadly or stubborn on request; each run of an input is written down."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from doneyet.task_types import TaskType

VERSION = "FAULT_VERSION"
"""Environment variable: which version of `Versioned` a program has."""

RUNS = "FAULT_RUNS"
"""Environment variable: the file that gets one line `n pid` per run of an input, at its start."""


class _Fault(TaskType):
    class Input(BaseModel):
        n: int

    class Output(BaseModel):
        square: int

    def begin(self, items: Sequence[Any]) -> None:
        """Writes down, in one write, that these inputs run now."""
        text = "".join(f"{item.n} {os.getpid()}\n" for item in items)
        fd = os.open(os.environ[RUNS], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, text.encode())
        os.close(fd)

    def outputs(self, items: Sequence[Any]) -> list[Any]:
        return [self.Output(square=item.n**2) for item in items]


class Slow(_Fault):
    """Takes 0.2 s for a batch of four."""

    name, endpoint = "slow", "/slow"
    max_batch_size = 4
    takes_s = 0.2

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        self.begin(inputs)
        time.sleep(self.takes_s)
        return self.outputs(inputs)


class Slower(Slow):
    """Takes 0.6 s for a batch of four, so that one can be met while it runs."""

    name, endpoint = "slower", "/slower"
    takes_s = 0.6


class Long(_Fault):
    """Takes 3 s, one at a time."""

    name, endpoint = "long", "/long"

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        self.begin(inputs)
        time.sleep(3)
        return self.outputs(inputs)


class Deadly(_Fault):
    """Kills its process when a negative number is among the inputs."""

    name, endpoint = "deadly", "/deadly"
    max_batch_size = 8

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        self.begin(inputs)
        if any(item.n < 0 for item in inputs):
            os.kill(os.getpid(), signal.SIGKILL)
        return self.outputs(inputs)


class Versioned(TaskType):
    """Answers with the version that its program has."""

    name, endpoint = "versioned", "/versioned"
    version = os.environ.get(VERSION, "1")

    class Input(BaseModel):
        n: int

    class Output(BaseModel):
        by: str

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [self.Output(by=self.version) for _ in inputs]


class Stubborn(_Fault):
    """Holds the interpreter lock for about 4 s: one multiplication that never lets go."""

    name, endpoint = "stubborn", "/stubborn"

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        self.begin(inputs)
        began_s = time.monotonic()
        while time.monotonic() - began_s < 4:
            pow(7, 3_000_000)
        return self.outputs(inputs)
