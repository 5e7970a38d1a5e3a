"""Task types whose models or handlers make it hard to answer rightly."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, field_validator

from doneyet import TaskType


class _Answering(TaskType):
    """Answers how the input looks."""

    class Output(BaseModel):
        v: Any = None

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [self.Output(v=repr(item)) for item in inputs]


class Changing(_Answering):
    """Changes its inputs in place, and raises for all where one is bad."""

    name, endpoint = "changing", "/changing"
    max_batch_size, batch_wait_ms = 8, 300.0

    class Input(BaseModel):
        x: list[int] = []
        n: int = 0
        bad: bool = False

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        for item in inputs:
            item.x.append(0)
            item.n = 999
        if any(item.bad for item in inputs):
            raise ValueError("a bad one")
        return [self.Output(v=len(item.x)) for item in inputs]


class Aliased(_Answering):
    """Has aliases, also for its text, and a set."""

    name, endpoint, text_field = "aliased", "/aliased", "text"

    class Input(BaseModel):
        model_config = ConfigDict(populate_by_name=True)
        text: str = Field("", alias="Text")
        numbers: set[int] = Field(set(), alias="Numbers")


class Strict(_Answering):
    """Its validator raises what it should not, its serializer loses something."""

    name, endpoint = "strict", "/strict"

    class Input(BaseModel):
        how: str = ""
        near: Annotated[float, PlainSerializer(round)] = 0.0

        @field_validator("how")
        @classmethod
        def _check(cls, how: str) -> str:
            if how == "exit":
                sys.exit(1)
            if how == "key":
                raise KeyError(how)
            return how


class Forging(TaskType):
    """Answers with names that are not its own."""

    name, endpoint = "forging", "/forging"

    class Input(BaseModel):
        n: int = 0

    class Output(BaseModel):
        model_config = ConfigDict(extra="allow")

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        forged = {"done": False, "status": "waiting", "id": "x", "load": -1, "n": 99}
        return [self.Output(**forged) if item.n else self.Output(free=1) for item in inputs]


class Long(_Answering):
    """Answers with an integer of as many digits as it is told to."""

    name, endpoint = "long", "/long"

    class Input(BaseModel):
        digits: int

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [self.Output(v=[{"deep": 10 ** (item.digits - 1)}]) for item in inputs]
