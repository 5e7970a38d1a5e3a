"""A task type that cannot be loaded while the file that `BROKEN_WHILE` names exists."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from doneyet.task_types import TaskType


class Broken(TaskType):
    """Wants a file gone."""

    name, endpoint = "broken", "/broken"

    class Input(BaseModel):
        key: str

    class Output(BaseModel):
        answer: str

    def load(self) -> None:
        if Path(os.environ["BROKEN_WHILE"]).exists():
            raise OSError("the weights are not there")

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [self.Output(answer=item.key) for item in inputs]
