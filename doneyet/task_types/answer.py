"""What came of one input, as JSON."""

from __future__ import annotations

import json
import logging
from functools import cache
from typing import Any, NamedTuple

from doneyet.task_types.base import RESERVED_FIELDS, TaskType
from doneyet.task_types.error_text import MOST_DETAIL, clean, described, named
from doneyet.task_types.schemas.field_names import written_names
from doneyet.task_types.schemas.output_json import output_json

log = logging.getLogger(__name__)

MOST_ANSWER_BYTES = 64 << 20
"""More is not kept. Redis, the worker and the server each hold a few copies of an answer, and Redis
cuts off who sends it more than 512 MiB, with all that is to be stored."""


class Answer(NamedTuple):
    """What came of one input: a JSON object of the echoed input, then outputs or `error`."""

    done: bool
    body: bytes


def answer_of(task_type: TaskType, echo: bytes, outcome: Any, task_id: str = "") -> Answer:
    """The answer to one input, whose echo is given, from the output, or exception, that came."""
    if isinstance(outcome, BaseException):
        return failure("task-failed", described(outcome), echo)
    try:
        model = task_type.Output
        if type(outcome) is not model and not isinstance(outcome, model):
            outcome = model.model_validate(outcome, by_alias=True, by_name=True)
        body = _join(echo, output_json(model, outcome, _taken_names(task_type)))
    except BaseException as error:  # a validator or serializer of its own may raise anything
        why = described(error)
        log.error(
            "%s returned something that is not an Output: %s", named(task_type.name, [task_id]), why
        )
        detail = f"{task_type.name} gave an answer of the wrong form: {why}"
        return failure("invalid-output", detail, echo)
    if len(body) > MOST_ANSWER_BYTES:
        detail = (
            f"the answer has {len(body) / 2**20:,.0f} MiB, and at most "
            f"{MOST_ANSWER_BYTES >> 20} are kept; write a file, and answer with its name"
        )
        log.error("%s: %s", named(task_type.name, [task_id]), detail)
        return failure("answer-too-large", detail, echo)
    return Answer(True, body)


def failure(code: str, detail: str, echo: bytes = b"{}") -> Answer:
    """A failed answer. `code` is for programs, `detail` for people; `echo` a JSON object."""
    error = {"code": code, "detail": clean(detail[:MOST_DETAIL])}
    return Answer(False, _join(echo, json.dumps({"error": error}).encode()))


@cache
def _taken_names(task_type: TaskType) -> frozenset[str]:
    """The names in an answer object that are no output's."""
    return RESERVED_FIELDS.union(written_names(task_type.Input, task_type.echo))


def _join(first: bytes, second: bytes) -> bytes:
    """Two JSON objects with different keys as one, without parsing them."""
    if first == b"{}" or second == b"{}":
        return second if first == b"{}" else first
    return first[:-1] + b"," + second[1:]
