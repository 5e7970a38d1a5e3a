"""A task that tells how far it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from doneyet.task_types import RunContext, TaskType


class Steps(TaskType):
    """Ten steps in 3 s."""

    name, endpoint = "steps", "/steps"

    class Input(BaseModel):
        number: int

    class Output(BaseModel):
        double: int

    def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:
        for step in range(10):
            context.progress(0, step / 10, f"step {step}")
            time.sleep(0.3)
        return [self.Output(double=2 * item.number) for item in inputs]
