"""From what was sent to a task: pick the task type, validate, make it canonical, hash it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from http_server.problem import Problem, invalid_input, invalid_whole
from task_manager.interface import Task
from tasks import TaskType

MODEL = "model"
"""The member of a request that picks one of an endpoint's task types."""


def prepare(types: Sequence[TaskType], raw: Any) -> tuple[TaskType, Task, bytes]:
    """The task that the JSON value `raw` asks for, and its echoed inputs as a JSON object.

    Raises:
        Problem: 422, naming each wrong field.
    """
    if not isinstance(raw, dict):
        raise invalid_whole("an input is a JSON object")
    task_type, fields = _pick(types, raw)
    try:
        item = task_type.Input.model_validate(fields, extra="forbid")
        canonical = task_type.canonical(item)
        echo = task_type.echo_json(item)
    except ValidationError as error:
        raise _invalid(error, task_type) from None
    except (ValueError, RecursionError) as error:
        raise invalid_whole(f"the input cannot be kept as JSON: {error}") from None
    return task_type, Task(task_type.task_id(canonical), task_type.name, canonical), echo


def models(types: Sequence[TaskType]) -> dict[str, TaskType]:
    """What `model` may be at an endpoint: the last parts of its types' names, in order."""
    return {kind.name.split("/", 1)[1]: kind for kind in types if "/" in kind.name}


def takes_model(task_type: TaskType) -> bool:
    """Whether `model` is an input field of the type's own."""
    return MODEL in task_type.Input.model_fields


def _pick(types: Sequence[TaskType], raw: Mapping[str, Any]) -> tuple[TaskType, Mapping[str, Any]]:
    choices = models(types)
    if MODEL not in raw or not choices:
        return types[0], raw
    wanted = raw[MODEL]
    task_type = choices.get(wanted) if isinstance(wanted, str) else None
    if task_type is None:
        if takes_model(types[0]):
            return types[0], raw
        there_are = ", ".join(sorted(choices))
        raise invalid_input(
            [{"pointer": f"/{MODEL}", "detail": f"no such model here; there are: {there_are}"}]
        )
    if takes_model(task_type):
        return task_type, raw
    return task_type, {name: value for name, value in raw.items() if name != MODEL}


def _invalid(error: ValidationError, task_type: TaskType) -> Problem:
    errors = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        detail = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden" and len(found["loc"]) == 1:
            detail = f"not a field of this input; there are: {', '.join(_names(task_type))}"
        elif found["type"] == "missing":
            detail = "is required"
        errors.append({"pointer": _pointer(found["loc"]), "detail": detail})
    return invalid_input(errors)


def _names(task_type: TaskType) -> list[str]:
    return [field.alias or name for name, field in task_type.Input.model_fields.items()]


def _pointer(location: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
