"""Task types that behave and misbehave on request; runs are counted in a file."""

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
    key: str


class _Output(BaseModel):
    answer: str


class _Sample(TaskType):
    version = "1"
    Input, Output = _Input, _Output

    def note(self, inputs: Sequence[Any]) -> None:
        """Appends `type,pid,keys of the batch` to the file that counts runs."""
        path = os.environ.get("SAMPLE_RUNS")
        if path:
            line = f"{self.name},{os.getpid()},{' '.join(item.key for item in inputs)}\n"
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(fd, line.encode())
            os.close(fd)

    def outputs(self, inputs: Sequence[Any]) -> list[Any]:
        return [_Output(answer=item.key.upper()) for item in inputs]


class Noop(_Sample):
    """Answers at once, one by one."""

    name, endpoint = "noop", "/noop"

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return self.outputs(inputs)


class BatchedNoop(_Sample):
    """Answers at once, 64 together."""

    name, endpoint = "noop/batched", "/noop"
    max_batch_size = 64

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return self.outputs(inputs)


class Gathered(_Sample):
    """Waits for a full batch."""

    name, endpoint = "gathered", "/gathered"
    max_batch_size = 8
    batch_wait_ms = 400.0

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        self.note(inputs)
        return self.outputs(inputs)


class Sleep(_Sample):
    """Sleeps for the seconds after the last `-` of its key."""

    name, endpoint = "sleep", "/sleep"

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        self.note(inputs)
        time.sleep(float(inputs[0].key.rsplit("-", 1)[1]))
        return self.outputs(inputs)


class Limited(Sleep):
    """Like sleep, in batches, for at most half a second."""

    name, endpoint = "limited", "/limited"
    max_batch_size = 4
    timeout_s = 0.5


class Fragile(_Sample):
    """Kills its process for keys that begin with `deadly`, and the first time with `once`."""

    name, endpoint = "fragile", "/fragile"
    max_batch_size = 8

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        self.note(inputs)
        for item in inputs:
            if item.key.startswith("deadly") or (item.key.startswith("once") and _first(item.key)):
                os.kill(os.getpid(), signal.SIGKILL)
        return self.outputs(inputs)


class Greedy(_Sample):
    """Never lets go of the interpreter for the seconds after the last `-` of its key."""

    name, endpoint = "greedy", "/greedy"

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        import ctypes

        self.note(inputs)
        seconds = float(inputs[0].key.rsplit("-", 1)[1])
        # PyDLL, unlike CDLL, keeps the interpreter's lock while the C function runs.
        ctypes.PyDLL(None).usleep(int(seconds * 1e6))
        return self.outputs(inputs)


class Reporting(_Sample):
    """Reports progress a thousand times within the seconds after the last `-` of its key."""

    name, endpoint = "reporting", "/reporting"
    max_batch_size = 2

    def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:
        seconds = float(inputs[0].key.rsplit("-", 1)[1])
        for step in range(1000):
            for index, item in enumerate(inputs):
                context.progress(index, step / 1000, f"{item.key} at {step}")
            time.sleep(seconds / 1000)
        return self.outputs(inputs)


class OnDevice(_Sample):
    """Notes when it has the device and when it lets go of it."""

    name, endpoint = "device/one", "/device"

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        self.note(inputs)
        time.sleep(0.02)
        self.note(inputs)
        return self.outputs(inputs)


class OnDeviceToo(OnDevice):
    """Another model on the same device."""

    name = "device/two"


class Priced(_Sample):
    """Costs what the number after the last `-` of its key says; inputs of one cost run together."""

    name, endpoint = "priced", "/priced"
    max_batch_size = 4
    batch_overhead = 0.5

    def cost(self, item: Any) -> float:
        return float(item.key.rsplit("-", 1)[1])

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        self.note(inputs)
        time.sleep(0.01)
        return self.outputs(inputs)


class Picky(_Sample):
    """Raises when a batch holds a key that begins with `bad`."""

    name, endpoint = "picky", "/picky"
    max_batch_size = 8

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        for item in inputs:
            if item.key.startswith("bad"):
                raise ValueError(f"{item.key} is bad")
        return self.outputs(inputs)


def _first(key: str) -> bool:
    """True for the first call with `key` in a test, whichever process makes it."""
    try:
        (Path(os.environ["SAMPLE_RUNS"]).parent / f"first-{key}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def task_types(_settings: object) -> list[TaskType]:
    """All of the above."""
    quick = (Noop, BatchedNoop, Gathered, Picky, Priced, OnDevice, OnDeviceToo)
    return [kind() for kind in (*quick, Sleep, Limited, Fragile, Greedy, Reporting)]
