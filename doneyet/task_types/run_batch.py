"""Running a batch so that one bad input never fails its batch-mates."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from doneyet.task_types.answer import Answer, answer_of, failure
from doneyet.task_types.base import TaskType
from doneyet.task_types.context import NO_HOST, Host, RunContext, takes_context
from doneyet.task_types.error_text import described, named, traced
from doneyet.task_types.ready import Ready, WrongFormError, as_many, let_go, make_ready

log = logging.getLogger(__name__)


def run_batch(
    task_type: TaskType,
    inputs: Sequence[bytes],
    ids: Sequence[str] | None = None,
    host: Host = NO_HOST,
) -> list[Answer]:
    """One `Answer` per canonical JSON input, in order; never raises."""
    ids = [task_type.task_id(text) for text in inputs] if ids is None else ids
    return run_ready(task_type, make_ready(task_type, inputs, ids), host)


def run_ready(task_type: TaskType, inputs: Sequence[Ready], host: Host = NO_HOST) -> list[Answer]:
    """One `Answer` per prepared input, in order; never raises."""
    outcomes = _outcomes(task_type, inputs, host)
    return [
        _refusal(task_type, each)
        if isinstance(each.prepared, BaseException)
        else answer_of(task_type, each.echo, outcome, each.id)
        for each, outcome in zip(inputs, outcomes, strict=True)
    ]


def _outcomes(task_type: TaskType, inputs: Sequence[Ready], host: Host) -> Sequence[Any]:
    """An output or an exception per input; what is refused does not run."""
    good = [at for at, each in enumerate(inputs) if not isinstance(each.prepared, BaseException)]
    if len(good) == len(inputs):
        return _run_or_split(task_type, inputs, host)
    outcomes = [each.prepared for each in inputs]
    ran = _run_or_split(task_type, [inputs[at] for at in good], host)
    for at, outcome in zip(good, ran, strict=True):
        outcomes[at] = outcome
    return outcomes


def _run_or_split(task_type: TaskType, items: Sequence[Ready], host: Host) -> list[Any]:
    """An output or an exception per item; what raises is halved until the guilty is alone.

    Each half runs on new objects: `run` may have changed those that it had.
    """
    if not items:
        return []
    try:
        returned = _run(task_type, items, host)
        return as_many(f"{task_type.name}.run", returned, "results", len(items))
    except WrongFormError as error:
        log.error("%s failed: %s", _named(task_type, items), error)
        return [RuntimeError(str(error))] * len(items)
    except BaseException as error:  # also what is meant to end a process: it is somebody's input
        why = described(error)
        if len(items) == 1:
            log.warning("%s failed: %s\n%s", _named(task_type, items), why, traced(error))
            # Its frames hold what the model had computed, on a device that others need.
            return [let_go(error)]
        log.info("%s failed and is halved: %s", _named(task_type, items), why)
    middle = len(items) // 2
    return [
        *_outcomes(task_type, _made_again(task_type, items[:middle]), host),
        *_outcomes(task_type, _made_again(task_type, items[middle:]), host),
    ]


def _run(task_type: TaskType, items: Sequence[Ready], host: Host) -> Any:
    """What `run` returns."""
    prepared = [each.prepared for each in items]
    if not takes_context(task_type):
        return task_type.run(prepared)
    context = RunContext([each.id for each in items], task_type.name, host)
    try:
        return task_type.run(prepared, context)
    finally:
        context.end()


def _made_again(task_type: TaskType, items: Sequence[Ready]) -> list[Ready]:
    return make_ready(task_type, [each.text for each in items], [each.id for each in items])


def _named(task_type: TaskType, items: Sequence[Ready]) -> str:
    return named(task_type.name, [each.id for each in items])


def _refusal(task_type: TaskType, refused: Ready) -> Answer:
    why = described(refused.prepared)
    log.warning("%s is refused: %s", named(task_type.name, [refused.id]), why)
    if refused.item is not None:
        return answer_of(task_type, refused.echo, refused.prepared, refused.id)
    # The server has taken it, so it runs another version of this task type.
    why = why.removeprefix("ValueError: ")
    return failure("invalid-input", f"this worker refuses the input: {why}")
