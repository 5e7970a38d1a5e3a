"""What RQ's worker calls for each job: the task type that this process has loaded, on one input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from tasks.base import TaskType
from tasks.execution import Answer, failure, run_batch

Runner = Callable[[bytes], Answer]
ProgressSink = Callable[[float, str], None]

_runners: dict[str, Runner] = {}


class OutOfTimeError(BaseException):
    """Raised in a task that took longer than its type's `timeout_s`; no handler should catch it."""


def serve(task_types: Iterable[TaskType], on_progress: ProgressSink) -> None:
    """From now on `run` answers for these, which must be loaded."""
    for task_type in task_types:
        task_type.report_progress = lambda _, fraction, message: on_progress(fraction, message)
        serve_with(task_type.name, partial(_run_one, task_type))


def _run_one(task_type: TaskType, text: bytes) -> Answer:
    return run_batch(task_type, [text])[0]


def serve_with(type_name: str, runner: Runner) -> None:
    """From now on `run` answers for the type called `type_name` with `runner`."""
    _runners[type_name] = runner


def run(type_name: str, input_json: str) -> dict[str, Any]:
    """The answer to one input, as RQ keeps it: `done` and the JSON text of the body.

    A failed task is an answer, too, no exception.

    Raises:
        LookupError: this process does not serve the type.
    """
    if type_name not in _runners:
        raise LookupError(
            f"this process has not loaded {type_name!r}; start workers with: "
            "python -m worker --ordered"
        )
    try:
        answer = _runners[type_name](input_json.encode())
    except OutOfTimeError as error:
        answer = failure("timed-out", str(error))
    return {"done": answer.done, "body": answer.body.decode()}
