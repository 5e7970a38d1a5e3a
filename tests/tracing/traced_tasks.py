"""A task type whose handler makes a span of its own."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry import trace
from pydantic import BaseModel

from doneyet.task_types import TaskType


class Halves(TaskType):
    """Half of even numbers; odd ones fail."""

    name, endpoint = "halves", "/halves"
    max_batch_size = 4

    class Input(BaseModel):
        n: int

    class Output(BaseModel):
        half: int

    def run(self, inputs: Sequence[Input]) -> Sequence[Output | Exception]:
        with trace.get_tracer("model").start_as_current_span("compute"):
            return [
                ValueError("odd") if each.n % 2 else self.Output(half=each.n // 2)
                for each in inputs
            ]
