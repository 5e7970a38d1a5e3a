"""What the attributes of a task type may be: each is checked when a program starts."""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Callable, Collection
from typing import Any, NoReturn, cast

from pydantic import BaseModel, RootModel

from doneyet.setting_values import LONGEST_S
from doneyet.task_types.base import TaskType
from doneyet.task_types.context import takes_context
from doneyet.task_types.error_text import described
from doneyet.task_types.job import Job
from doneyet.task_types.modules import TaskTypeError
from doneyet.task_types.schemas.model_check import fault_of

RESERVED_ENDPOINTS = frozenset(
    {"/tasks", "/load", "/workers", "/history", "/healthz", "/readyz", "/ping", "/healthcheck"}
    | {"/metrics", "/openapi.json", "/docs", "/dashboard", "/static"}
)
MOST_BATCH_SIZE = 4096
MOST_BATCH_WAIT_MS = 60_000.0
"""Meanwhile a worker process claims nothing of any type."""
MOST_COUNT = 10**9

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_ENDPOINT = re.compile(r"(/[a-z0-9][a-z0-9_-]*)+")
_COUNTED = re.compile(r" in \d+ queues?$")  # as in task_manager/split_queues.py


def check_attributes(task_type: TaskType) -> None:
    """Returns where `task_type` can be used.

    Raises:
        TaskTypeError: it cannot; names the class and the attribute, and says what it must be.
    """
    kind = type(task_type).__name__
    answers = "coordinate" if isinstance(task_type, Job) else "run"
    for attribute in ("name", "endpoint", "version", "Input", "Output", answers):
        if not hasattr(task_type, attribute):
            raise TaskTypeError(f"{kind} must define {attribute}")
    _check_texts(task_type)
    _check_models(task_type)
    _check_methods(task_type, answers)
    _check_numbers(task_type)


def _check_numbers(task_type: TaskType) -> None:
    for attribute, (allows, wanted) in _NUMBERS.items():
        value = getattr(task_type, attribute)
        if not allows(value):
            _refuse(task_type, attribute, f"be {wanted}", value)


def _check_texts(task_type: TaskType) -> None:
    name: Any = task_type.name
    endpoint: Any = task_type.endpoint
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        _refuse(
            task_type, "name", "look like 'factorization' or 'question-answering/roberta'", name
        )
    if not (isinstance(endpoint, str) and _ENDPOINT.fullmatch(endpoint)):
        _refuse(task_type, "endpoint", "look like '/factorize'", endpoint)
    if "/" + endpoint.split("/")[1] in RESERVED_ENDPOINTS:
        raise TaskTypeError(f"{type(task_type).__name__}.endpoint {endpoint!r} is doneyet's own")
    for attribute, wanted in (("version", "a text such as '1'"), ("description", "a text")):
        value = getattr(task_type, attribute)
        if not isinstance(value, str) or not _is_unicode(value):
            _refuse(task_type, attribute, f"be {wanted}", value)
    if _COUNTED.search(task_type.version):
        wanted = "not end like that of a type with several queues (DONEYET_SPLIT_TYPES)"
        _refuse(task_type, "version", wanted, task_type.version)
    if not _is_json_object(task_type.example):
        _refuse(task_type, "example", "be a dict that JSON can carry", task_type.example)


def _check_models(task_type: TaskType) -> None:
    kind = type(task_type).__name__
    for attribute in ("Input", "Output"):
        model = getattr(task_type, attribute)
        is_model = inspect.isclass(model) and issubclass(model, BaseModel)
        if not is_model or issubclass(model, RootModel):
            _refuse(task_type, attribute, "be a pydantic BaseModel with fields", model)
    fields = task_type.Input.model_fields.keys()
    echo: Any = task_type.echo
    if echo is not None and (
        isinstance(echo, str | bytes | dict)
        or not isinstance(echo, Collection)
        or not all(isinstance(name, str) for name in echo)
    ):
        _refuse(task_type, "echo", "be a set of input fields' names, or None: all of them", echo)
    echoed = set(fields if echo is None else echo)
    if unknown := echoed - fields:
        raise TaskTypeError(f"{kind}.echo names {min(unknown)!r}, which is not an input field")
    if fault := fault_of(task_type):
        raise TaskTypeError(f"{kind}: {fault}")
    text_field: Any = task_type.text_field
    if text_field is not None and not (isinstance(text_field, str) and text_field in fields):
        raise TaskTypeError(f"{kind}.text_field {text_field!r} is not an input field")


def _check_methods(task_type: TaskType, answers: str) -> None:
    kind = type(task_type).__name__
    others = ("recheck",) if isinstance(task_type, Job) else ("load", "prepare", "cost")
    for name in (answers, *others):
        if not callable(method := getattr(task_type, name)):
            _refuse(task_type, name, "be a method", method)
        if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
            raise TaskTypeError(f"{kind}.{name} must be a method without async")
    if not isinstance(task_type, Job):
        if task_type.coordinated:
            raise TaskTypeError(f"{kind}.coordinated is for Job to say: subclass doneyet.Job")
        takes_context(task_type)
    elif (check := cast("object", task_type.rechecked_by)) is not None:
        if not isinstance(check, Job):
            _refuse(task_type, "rechecked_by", "be a Job, or None", check)
        _check_numbers(check)  # it has no endpoint, and answers nobody


def _refuse(task_type: TaskType, attribute: str, wanted: str, value: object) -> NoReturn:
    where = f"{type(task_type).__name__}.{attribute}"
    raise TaskTypeError(f"{where} must {wanted}, not {_shown(value)}")


def _shown(value: object) -> str:
    """`value` in one short line, whatever it is."""
    try:
        text = value.__name__ if inspect.isclass(value) else " ".join(repr(value).split())
    except BaseException as error:  # its repr is somebody else's; a huge int has none
        return f"a value that cannot be shown ({described(error)})"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _is_json_object(value: object) -> bool:
    try:
        return isinstance(value, dict) and bool(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return False


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can carry it: no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(value: object) -> float:
    """`value` where it is a number; else NaN, which is within no limits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _between(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: least <= _number(value) <= most


def _whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and least <= _number(value) <= most


def _or_none(allows: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or allows(value)


_TTL = (
    _or_none(_between(1, LONGEST_S)),
    f"a number of seconds from 1 to {LONGEST_S:.0f}, or None: what the setting says",
)
_COUNT = (
    _or_none(_whole(1, MOST_COUNT)),
    f"a whole number from 1 to {MOST_COUNT}, or None: what the setting says",
)
_NUMBERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_batch_size": (_whole(1, MOST_BATCH_SIZE), f"a whole number from 1 to {MOST_BATCH_SIZE}"),
    "batch_wait_ms": (
        _between(0, MOST_BATCH_WAIT_MS),
        f"a number of milliseconds from 0 to {MOST_BATCH_WAIT_MS:.0f}",
    ),
    "max_batch_cost": (
        _or_none(lambda value: 0 < _number(value) < math.inf),
        "a finite number above 0, or None: no limit",
    ),
    "batch_overhead": (
        _between(0, math.inf),
        "a number of at least 0 (math.inf: inputs are padded without limit)",
    ),
    "timeout_s": (
        _or_none(lambda value: 0 < _number(value) <= LONGEST_S),
        f"a number of seconds above 0, at most {LONGEST_S:.0f}, or None: no time limit",
    ),
    "input_ttl_s": _TTL,
    "result_ttl_s": _TTL,
    "failure_ttl_s": _TTL,
    "max_attempts": _COUNT,
    "max_load": _COUNT,
}
"""Attributes that are numbers: which values are allowed, and how to say so."""
