"""Asking a task type in this process: what a server and a worker do, without both."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from doneyet import strict_json
from doneyet.client.answers import Outcome, outcome_of
from doneyet.client.errors import Answer, ClientError, problem_error
from doneyet.client.inputs import merged, rows_of, to_json
from doneyet.settings import Settings
from doneyet.task_types import Job, TaskType
from doneyet.task_types.loading import load
from doneyet.task_types.ready import make_ready, priced
from doneyet.task_types.registry import registry_of
from doneyet.task_types.run_batch import run_ready
from doneyet.task_types.schemas.field_names import written_names
from doneyet.task_types.schemas.parse_input import (
    Asked,
    FaultyTypeError,
    InvalidInputError,
    asked,
)


def ask(task_type: type[TaskType] | TaskType, given: Any = None, /, **fields: Any) -> Answer:
    """The answer that a client gets to one input: `ask(Iris, features=[5, 3, 1, 0.2])`.

    The type is checked as at a program's start, and loaded once. The input is written as JSON,
    validated, and run; the output comes back as JSON.

    Raises:
        TypeError, ValueError: the input is not JSON, as with NaN.
        InvalidInputError: the input is wrong; the message names the fields.
        TaskFailedError: the task failed; `.code` and `.detail` say why.
        TaskTypeError, NotLoadedError: the type cannot be used, or loaded.
    """
    (outcome,) = ask_all(task_type, [merged(given, fields)])
    if isinstance(outcome, ClientError):
        raise outcome
    return outcome


def ask_all(task_type: type[TaskType] | TaskType, inputs: Iterable[Any]) -> list[Outcome]:
    """What each input comes to, in order, in batches of `max_batch_size`: an answer or an error.

    Raises:
        TypeError, ValueError, TaskTypeError, NotLoadedError: as `ask`.
    """
    kind = _loaded(task_type)
    parsed = [_parsed(kind, strict_json.loads(to_json(each))) for each in rows_of(inputs)]
    good = [each for each in parsed if isinstance(each, Asked)]
    size = kind.max_batch_size
    batches = [good[start : start + size] for start in range(0, len(good), size)]
    answers = iter([answer for batch in batches for answer in _run(kind, batch)])
    return [next(answers) if isinstance(each, Asked) else each for each in parsed]


_loaded_types: dict[type[TaskType] | TaskType, TaskType] = {}


def _loaded(task_type: type[TaskType] | TaskType) -> TaskType:
    if task_type in _loaded_types:
        return _loaded_types[task_type]
    kind = task_type() if isinstance(task_type, type) else task_type
    if isinstance(kind, Job):
        raise TypeError(f"{type(kind).__name__} is a Job, which asks others: use doneyet_system")
    registry_of([kind], Settings())
    load(kind)
    _loaded_types[task_type] = kind
    return kind


def _parsed(kind: TaskType, raw: Any) -> Asked | ClientError:
    try:
        return asked([kind], raw)
    except InvalidInputError as error:
        wrong = [{"pointer": at, "detail": text} for at, text in error.errors]
        return problem_error(422, {"title": "Invalid input", "status": 422, "errors": wrong})
    except FaultyTypeError as error:
        return problem_error(500, {"status": 500, "detail": str(error)})


def _run(kind: TaskType, batch: list[Asked]) -> list[Outcome]:
    inputs, ids = [each.canonical for each in batch], [each.id for each in batch]
    ready = [priced(kind, each)[0] for each in make_ready(kind, inputs, ids)]
    outcomes = []
    for each, task_id in zip(run_ready(kind, ready), ids, strict=True):
        body = json.loads(each.body)
        nulls = {} if each.done else dict.fromkeys(written_names(kind.Output))
        status = "done" if each.done else "failed"
        state = {"done": True, "load": 0, "id": task_id, "status": status}
        outcomes.append(outcome_of({**body, **nulls, **state}))
    return outcomes
