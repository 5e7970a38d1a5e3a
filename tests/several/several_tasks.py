"""Quick task types, so many that some of a cluster's nodes have none in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from doneyet.task_types import TaskType


class _Squares(TaskType):
    class Input(BaseModel):
        n: int

    class Output(BaseModel):
        square: int

    max_batch_size = 4

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [self.Output(square=each.n**2) for each in inputs]


class First(_Squares):
    """One of three."""

    name, endpoint = "first", "/first"


class Second(_Squares):
    """One of three."""

    name, endpoint = "second", "/second"


class Third(_Squares):
    """One of three."""

    name, endpoint = "third", "/third"
