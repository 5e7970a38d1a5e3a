"""Running a batch so that one bad input never fails its batch-mates."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from tasks.base import TaskType

log = logging.getLogger(__name__)

_MOST_DETAIL = 2000  # characters of an exception's message that are worth keeping


class Answer(NamedTuple):
    """What came of one input: a JSON object of the echoed input, then outputs or `error`."""

    done: bool
    body: bytes


def run_batch(task_type: TaskType, inputs: Sequence[bytes]) -> list[Answer]:
    """One `Answer` per canonical JSON input, in order; never raises an `Exception`."""
    answers: list[Answer | None] = [None] * len(inputs)
    good: list[tuple[int, Any]] = []
    for index, text in enumerate(inputs):
        try:
            good.append((index, task_type.Input.model_validate_json(text)))
        except ValidationError as error:
            # The server has validated it, so it runs another version of this task type.
            answers[index] = failure("invalid-input", f"this worker refuses the input: {error}")
    outcomes = _run_or_split(task_type, [index for index, _ in good], [item for _, item in good])
    for (index, item), outcome in zip(good, outcomes, strict=True):
        answers[index] = _answer(task_type, item, outcome)
    return [answer for answer in answers if answer is not None]


def failure(code: str, detail: str, echo: bytes = b"{}") -> Answer:
    """A failed answer. `code` is for programs, `detail` for people; `echo` a JSON object."""
    error = {"code": code, "detail": detail[:_MOST_DETAIL]}
    return Answer(False, _join(echo, json.dumps({"error": error}).encode()))


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
            return [error]
    finally:
        task_type.report_progress = report
    middle = len(items) // 2
    return [
        *_run_or_split(task_type, positions[:middle], items[:middle]),
        *_run_or_split(task_type, positions[middle:], items[middle:]),
    ]


def _answer(task_type: TaskType, item: BaseModel, outcome: Any) -> Answer:
    if isinstance(outcome, Exception):
        detail = f"{type(outcome).__name__}: {outcome}"
        return failure("task-failed", detail, task_type.echo_json(item))
    try:
        if not isinstance(outcome, task_type.Output):
            outcome = task_type.Output.model_validate(outcome)
        return Answer(True, _join(task_type.echo_json(item), outcome.model_dump_json().encode()))
    except (ValidationError, ValueError) as error:
        log.error("%s gave an answer that is no %s: %s", task_type.name, "Output", error)
        detail = f"{task_type.name} gave an answer of the wrong form: {error}"
        return failure("invalid-output", detail, task_type.echo_json(item))


def _join(first: bytes, second: bytes) -> bytes:
    """Two JSON objects with different keys as one, without parsing them."""
    if first == b"{}" or second == b"{}":
        return second if first == b"{}" else first
    return first[:-1] + b"," + second[1:]
