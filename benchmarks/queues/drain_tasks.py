"""No-op task types: what they cost is what doneyet costs."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pydantic import BaseModel

from doneyet.task_types import TaskType


class Number(BaseModel):
    """An input that differs from task to task."""

    number: int


class Answer(BaseModel):
    """A small result, so that storing it is measured too."""

    answer: int


class Noop(TaskType):
    """Gives the number back, one at a time."""

    name, endpoint = "noop", "/noop"
    Input, Output = Number, Answer

    def run(self, inputs: Sequence[Number]) -> list[Answer]:
        """The numbers themselves."""
        return [Answer(answer=item.number) for item in inputs]


class Brief(Noop):
    """Takes a millisecond."""

    name, endpoint = "brief", "/brief"

    def run(self, inputs: Sequence[Number]) -> list[Answer]:
        time.sleep(0.001)
        return super().run(inputs)


class NoopBatch(Noop):
    """The same, up to 64 at a time."""

    name, endpoint = "noop-batch", "/noop-batch"
    max_batch_size = 64
