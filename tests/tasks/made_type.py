"""A task type made of any two models, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import (
    BaseModel,
)

from doneyet.task_types import TaskType
from doneyet.task_types.run_batch import run_batch
from doneyet.task_types.schemas.parse_input import asked


class Plain(BaseModel):
    """A model with nothing special."""

    n: int = 0


class Value(BaseModel):
    """An output."""

    v: Any = None


def task_type(
    input_model: type[BaseModel] = Plain,
    output_model: type[BaseModel] = Value,
    run: Any = None,
    base: type[TaskType] = TaskType,
    **attributes: Any,
) -> Any:
    """A task type of these models, which answers what it saw unless `run` says otherwise."""

    def seen(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        return [output_model(v=repr(item)) for item in inputs]

    members = {"name": "made", "endpoint": "/made", "Input": input_model, "Output": output_model}
    made = type("Made", (base,), {**members, "run": run or seen, **attributes})
    return made()


def answers(kind: TaskType, *inputs: dict[str, Any]) -> list[Any]:
    """What comes of inputs as clients send them, in one batch."""
    return [
        json.loads(answer.body, object_pairs_hook=_once)
        for answer in run_batch(kind, [asked([kind], one).canonical for one in inputs])
    ]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names), f"a name comes twice: {names}"
    return dict(pairs)
