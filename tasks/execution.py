"""Running a batch so that one bad input never fails its batch-mates."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from tasks.base import TaskType
from tasks.finite import output_json

log = logging.getLogger(__name__)

_OTHER_VERSION = (
    "it was asked of another version of {}; start HTTP servers and workers with the same models "
    "table and the same release"
)
_MOST_DETAIL = 2000  # characters of an exception's message that are worth keeping


class Answer(NamedTuple):
    """What came of one input: a JSON object of the echoed input, then outputs or `error`."""

    done: bool
    body: bytes


class Ready(NamedTuple):
    """One input on its way to `run`: as it was validated, and what `prepare` made of it."""

    item: Any
    """The `Input`; None where it could not be validated."""
    prepared: Any
    """What `run` gets; an exception where the input is refused."""


def run_batch(task_type: TaskType, inputs: Sequence[bytes]) -> list[Answer]:
    """One `Answer` per canonical JSON input, in order; never raises an `Exception`."""
    return run_ready(task_type, make_ready(task_type, inputs))


def make_ready(
    task_type: TaskType, inputs: Sequence[bytes], ids: Sequence[str] | None = None
) -> list[Ready]:
    """Each canonical JSON input validated and prepared, in order; never raises an `Exception`.

    `ids` of the inputs' tasks, where they are known, are looked at if the type says so.
    """
    ready: list[Ready] = []
    for text in inputs:
        try:
            item = task_type.Input.model_validate_json(text)
            ready.append(Ready(item, item))
        except ValidationError as error:
            ready.append(Ready(None, error))
    if task_type.checks_ids and ids is not None:
        for place, (text, task_id) in enumerate(zip(inputs, ids, strict=True)):
            if task_type.task_id(text) != task_id:
                ready[place] = Ready(None, ValueError(_OTHER_VERSION.format(task_type.name)))
    if type(task_type).prepare is not TaskType.prepare:
        good = [place for place, each in enumerate(ready) if each.item is not None]
        prepared = _prepare_or_split(task_type, [ready[place].item for place in good])
        for place, made in zip(good, prepared, strict=True):
            ready[place] = Ready(ready[place].item, made)
    return ready


def run_ready(task_type: TaskType, inputs: Sequence[Ready]) -> list[Answer]:
    """One `Answer` per prepared input, in order; never raises an `Exception`."""
    good = [each for each in inputs if not isinstance(each.prepared, Exception)]
    places: Sequence[int] = range(len(inputs))
    if len(good) < len(inputs):
        places = [at for at in places if not isinstance(inputs[at].prepared, Exception)]
    outcomes = _run_or_split(task_type, places, [each.prepared for each in good])
    answers = [
        answer_of(task_type, each.item, outcome)
        for each, outcome in zip(good, outcomes, strict=True)
    ]
    if len(good) == len(inputs):
        return answers
    ran = dict(zip(places, answers, strict=True))
    return [ran.get(at) or _refusal(task_type, each) for at, each in enumerate(inputs)]


def _refusal(task_type: TaskType, refused: Ready) -> Answer:
    if refused.item is not None:
        return answer_of(task_type, refused.item, refused.prepared)
    # The server has taken it, so it runs another version of this task type.
    return failure("invalid-input", f"this worker refuses the input: {refused.prepared}")


def failure(code: str, detail: str, echo: bytes = b"{}") -> Answer:
    """A failed answer. `code` is for programs, `detail` for people; `echo` a JSON object."""
    error = {"code": code, "detail": detail[:_MOST_DETAIL]}
    return Answer(False, _join(echo, json.dumps({"error": error}).encode()))


def _prepare_or_split(task_type: TaskType, items: Sequence[Any]) -> list[Any]:
    """What `run` gets per item, or an exception; what raises is prepared one by one."""
    try:
        prepared = list(task_type.prepare(items)) if items else []
        if len(prepared) == len(items):
            return prepared
        wrong = f"{task_type.name}.prepare gave {len(prepared)} items for {len(items)} inputs"
        log.error(wrong)
        return [RuntimeError(wrong)] * len(items)
    except Exception as error:
        if len(items) == 1:
            return [error]
    return [_prepare_or_split(task_type, [item])[0] for item in items]


def _run_or_split(task_type: TaskType, positions: Sequence[int], items: Sequence[Any]) -> list[Any]:
    """An output or an exception per item; what raises is halved until the guilty is alone."""
    if not items:
        return []
    report = task_type.report_progress
    if report is not None:  # `run` counts from 0 in each half; whoever asked counts in the batch
        task_type.report_progress = lambda i, part, text: report(positions[i], part, text)
    try:
        outcomes = list(task_type.run(items))
        if len(outcomes) == len(items):
            return outcomes
        wrong = f"{task_type.name}.run gave {len(outcomes)} results for {len(items)} inputs"
        log.error(wrong)
        return [RuntimeError(wrong)] * len(items)
    except Exception as error:
        if len(items) == 1:
            log.warning("%s failed on an input", task_type.name, exc_info=error)
            # Its frames hold what the model had computed, on a device that others need.
            return [error.with_traceback(None)]
    finally:
        task_type.report_progress = report
    middle = len(items) // 2
    return [
        *_run_or_split(task_type, positions[:middle], items[:middle]),
        *_run_or_split(task_type, positions[middle:], items[middle:]),
    ]


def answer_of(task_type: TaskType, item: BaseModel, outcome: Any) -> Answer:
    """The answer to one input, from the output, or the exception, that came of it."""
    if isinstance(outcome, Exception):
        detail = f"{type(outcome).__name__}: {outcome}"
        return failure("task-failed", detail, task_type.echo_json(item))
    try:
        if not isinstance(outcome, task_type.Output):
            outcome = task_type.Output.model_validate(outcome)
        return Answer(True, _join(task_type.echo_json(item), output_json(outcome)))
    except (ValidationError, ValueError) as error:
        log.error("%s gave an answer that is no %s: %s", task_type.name, "Output", error)
        detail = f"{task_type.name} gave an answer of the wrong form: {error}"
        return failure("invalid-output", detail, task_type.echo_json(item))


def _join(first: bytes, second: bytes) -> bytes:
    """Two JSON objects with different keys as one, without parsing them."""
    if first == b"{}" or second == b"{}":
        return second if first == b"{}" else first
    return first[:-1] + b"," + second[1:]
