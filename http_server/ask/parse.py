"""From what was sent to a task, or to the problem that it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from doneyet.task_types import TaskType
from doneyet.task_types.schemas.parse_input import FaultyTypeError, InvalidInputError, asked
from http_server.wire.problem import Problem, invalid_input
from task_manager.interface import Task


def prepare(types: Sequence[TaskType], raw: Any) -> tuple[TaskType, Task, bytes]:
    """The task that the JSON value `raw` asks for, and its echoed inputs as a JSON object.

    Raises:
        Problem: 422, naming each wrong field; 500, where the task type itself fails on the input.
    """
    try:
        found = asked(types, raw)
    except InvalidInputError as error:
        raise invalid_input(
            [{"pointer": at, "detail": text} for at, text in error.errors]
        ) from None
    except FaultyTypeError as error:
        raise Problem(500, "internal-error", str(error)) from None
    return found.type, Task(found.id, found.type.name, found.canonical), found.echo
