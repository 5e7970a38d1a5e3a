"""Task types that the tests ask: two models at one endpoint, a text, one without echo."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from doneyet.task_types import RunContext, TaskType


class Roberta(TaskType):
    """Answers a question from a context."""

    name, endpoint = "question-answering/roberta", "/question-answering"
    example = {"question": "Who?", "context": "Me."}
    echo = frozenset({"question"})

    class Input(BaseModel):
        question: str = Field(min_length=1)
        context: str = ""
        tags: list[str] = []

    class Output(BaseModel):
        answer: str

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [self.Output(answer=item.context.upper()) for item in inputs]


class Bert(Roberta):
    """The same by another model."""

    name = "question-answering/bert"


class Upper(TaskType):
    """A text in capitals; the text `fail` fails."""

    name, endpoint, text_field = "upper", "/upper", "text"
    example = {"text": "hello"}

    class Input(BaseModel):
        text: str
        extra: Any = None

    class Output(BaseModel):
        upper: str

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [
            ValueError("told to fail")
            if item.text == "fail"
            else self.Output(upper=item.text.upper())
            for item in inputs
        ]


class Sleep(TaskType):
    """Takes as long as it is told to."""

    name, endpoint = "sleep", "/sleep"
    example = {"seconds": 0.01}

    class Input(BaseModel):
        seconds: float = Field(ge=0, le=2)

    class Output(BaseModel):
        slept: bool

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        time.sleep(sum(item.seconds for item in inputs))
        return [self.Output(slept=True) for _ in inputs]


class Steps(TaskType):
    """Tells ten times how far it is, and which process runs it."""

    name, endpoint = "steps", "/steps"
    example = {"seconds": 0.01}

    class Input(BaseModel):
        seconds: float = Field(ge=0, le=20)

    class Output(BaseModel):
        steps: int

    def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:
        for step in range(10):
            for index, item in enumerate(inputs):
                context.progress(index, step / 10, f"step {step} in process {os.getpid()}")
                time.sleep(item.seconds / 10)
        return [self.Output(steps=10) for _ in inputs]
