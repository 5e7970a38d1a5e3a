"""What a `run` may do besides answering its inputs, and which types' `run` wants to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from doneyet.task_types.base import TaskType
from doneyet.task_types.modules import TaskTypeError

ReportProgress = Callable[[str, str, float, str], None]
"""Gets a task's type and id, and the fraction and message as `run` gave them."""
Recall = Callable[[str, str], dict[str, Any] | None]


def _unheard(_type_name: str, _task_id: str, _fraction: float, _message: str) -> None:
    """Where nobody listens."""


def _unknown(_type_name: str, _task_id: str) -> None:
    """Where no other task is known."""


class Host(NamedTuple):
    """Who runs task types, as they see it."""

    report: ReportProgress = _unheard
    recall: Recall = _unknown


NO_HOST = Host()
"""Outside of a worker: nobody hears of progress, and nothing can be recalled."""


class RunContext:
    """What `run(self, inputs, context)` gets besides its inputs; good until it returns."""

    def __init__(
        self, task_ids: Sequence[str] = (), type_name: str = "", host: Host = NO_HOST
    ) -> None:
        self.task_ids = task_ids
        """The id of each input's task."""
        self._type, self._host = type_name, host

    def progress(self, index: int, fraction: float, message: str = "") -> None:
        """Tells clients how far `inputs[index]` is: `fraction` from 0 to 1. Never fails."""
        if index in range(len(self.task_ids)):  # of whatever type it is
            self._host.report(self._type, self.task_ids[int(index)], fraction, message)

    def recall(self, type_name: str, task_id: str) -> dict[str, Any] | None:
        """The finished answer of another task: its outputs and echoed inputs.

        None where there is none: it was never submitted, is not done, failed, or is forgotten.
        """
        return self._host.recall(type_name, task_id)

    def end(self) -> None:
        """The run is over: nobody listens to threads that it has left behind."""
        self._host = NO_HOST


@cache
def takes_context(task_type: TaskType) -> bool:
    """Whether its `run` is `run(self, inputs, context)`, and not `run(self, inputs)`.

    Raises:
        TaskTypeError: it is neither.
    """
    try:
        signature = inspect.signature(task_type.run)
    except (TypeError, ValueError):  # a built-in function may have none
        signature = inspect.Signature()
    parameters = signature.parameters.values()
    plain = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    names = [each.name.lstrip("_") for each in parameters if each.kind in plain]
    if len(names) == len(parameters) and (len(names) == 1 or names[1:] == ["context"]):
        return len(names) == 2
    found = str(signature.replace(return_annotation=signature.empty))[1:-1]
    raise TaskTypeError(
        f"{type(task_type).__name__}.run must be run(self, inputs) or run(self, inputs, context), "
        f"not run({', '.join(filter(None, ['self', found]))})"
    )
