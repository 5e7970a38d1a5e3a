"""The task type that is asked for meanwhile: a batch of it takes up to a tenth of a second."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pydantic import BaseModel

from doneyet.task_types import TaskType


class Squares(TaskType):
    """Squares numbers, in batches of up to eight that take up to 0.1 s."""

    name, endpoint = "squares", "/squares"
    max_batch_size = 8

    class Input(BaseModel):
        n: int

    class Output(BaseModel):
        square: int

    def run(self, inputs: Sequence[Input]) -> Sequence[Output]:
        time.sleep(0.02 * (inputs[0].n % 5 + 1))
        return [self.Output(square=each.n**2) for each in inputs]
