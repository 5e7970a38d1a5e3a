"""From a JSON value to a task: pick the task type, validate, make it canonical, hash it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, SchemaValidator

from doneyet.task_types.base import RESERVED_FIELDS, TaskType
from doneyet.task_types.error_text import described, traced
from doneyet.task_types.schemas.canonical_json import own_json, same
from doneyet.task_types.schemas.field_names import all_read_names, read_names, written_names
from doneyet.task_types.schemas.model_traits import NO_SCHEMAS, traits, writes_freely

log = logging.getLogger(__name__)

MODEL = "model"
"""The member of a request that picks one of an endpoint's task types."""


_COLLECTIONS = frozenset({"list", "tuple", "set", "frozenset", "dict"})
_MOST_MORE_FIELDS = 1000
"""Fields beyond those of the input that are looked at one by one."""


class InvalidInputError(ValueError):
    """Raised when a value is no input of its task type.

    `errors` are pairs of a JSON pointer (RFC 6901; empty: the whole) and what is wrong there.
    """

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{at}: {text}" if at else text for at, text in errors))
        self.errors = errors


class FaultyTypeError(Exception):
    """Raised when a task type itself fails on an input; says what whoever wrote it has to do."""


class Asked(NamedTuple):
    """One input, ready to be asked."""

    type: TaskType
    item: BaseModel
    canonical: bytes
    """The input as canonical JSON."""
    id: str
    """The task's id."""
    echo: bytes
    """The fields that the answer repeats, as a JSON object."""


def asked(types: Sequence[TaskType], raw: Any) -> Asked:
    """What the JSON value `raw` asks of `types`, which share an endpoint; the first is its default.

    Raises:
        InvalidInputError: names each wrong field.
        FaultyTypeError: it is not the input's fault; logged.
    """
    if not isinstance(raw, dict):
        raise InvalidInputError([("", "an input is a JSON object")])
    task_type, fields = (types[0], raw) if MODEL not in raw else _pick(types, raw)
    model = _prepared(task_type.Input)
    try:
        if len(fields) > _MOST_MORE_FIELDS:
            _check_number_of_fields(fields, task_type)
        item = model.validate(fields, extra="forbid")
        if model.write is not None and task_type.echo is None:
            canonical = echo = model.write(item)
        else:
            canonical, echo = _as_json(task_type, item)
    except ValidationError as error:
        raise InvalidInputError(_errors(error, task_type)) from None
    except PydanticSerializationError as error:
        raise _unwritable(error) from None
    except (InvalidInputError, FaultyTypeError):
        raise
    except BaseException as error:  # a validator may raise anything, also what ends a process
        why = described(error)
        log.error("task type %s cannot check an input: %s\n%s", task_type.name, why, traced(error))
        raise FaultyTypeError(
            f"the task type {task_type.name} failed to check this input, with "
            f"{type(error).__name__}; the server's log tells its author where"
        ) from None
    return Asked(task_type, item, canonical, task_type.task_id(canonical), echo)


def _as_json(task_type: TaskType, item: BaseModel) -> tuple[bytes, bytes]:
    """`item` as canonical JSON, which is the same input again, and its echo."""
    try:
        canonical, echo = task_type.canonical(item), task_type.echo_json(item)
    except (ValueError, RecursionError) as error:
        raise _unwritable(error) from None
    if not traits(task_type.Input).plain:
        _check_survives(task_type, item, canonical)
    if writes_freely(task_type.Input):
        _check_echo(task_type, echo)
    return canonical, echo


def _unwritable(error: ValueError | RecursionError) -> InvalidInputError:
    why = described(error).partition(": ")[2]
    return InvalidInputError([("", f"the input cannot be kept as JSON: {why}")])


def _check_survives(task_type: TaskType, item: BaseModel, canonical: bytes) -> None:
    """A worker gets the input as canonical JSON, and two with the same one are the same task."""
    given = item.model_fields_set  # a default may be anything, but is the same for all inputs
    try:
        again = task_type.from_canonical(canonical)
        changed = [
            name
            for name in task_type.Input.model_fields
            if name in given and not same(getattr(item, name), getattr(again, name))
        ]
        if not changed:
            return
        what = f"the field {changed[0]!r} changes"
    except ValidationError as error:
        what = f"it is refused ({described(error)})"
    raise _faulty(
        task_type,
        f"written as JSON and read again, {what}; whoever wrote the task type must make its "
        "serializers and validators each other's reverse",
    )


def _check_echo(task_type: TaskType, echo: bytes) -> None:
    names = json.loads(echo)
    declared = written_names(task_type.Input, task_type.echo)
    taken = RESERVED_FIELDS | set(written_names(task_type.Output))
    if not isinstance(names, dict) or (taken - set(declared)) & names.keys():
        raise _faulty(
            task_type,
            "its input's serializer writes no JSON object, or a name that the answer has already; "
            "whoever wrote the task type must change that",
        )


def _faulty(task_type: TaskType, why: str) -> FaultyTypeError:
    log.error("task type %s cannot take an input: %s", task_type.name, why)
    return FaultyTypeError(f"the task type {task_type.name} cannot take this input: {why}")


class _Prepared(NamedTuple):
    """What each input of a model needs, found once."""

    validate: Callable[..., BaseModel]
    """Validates as the model does, but reports the first wrong item of a list or dict only: of
    millions, errors would take gigabytes."""
    write: Callable[[BaseModel], bytes] | None
    """Writes canonical JSON where that is an item's own, which the answer repeats then, too."""


@cache
def _prepared(model: type[BaseModel]) -> _Prepared:
    model.model_rebuild()  # where it names classes that were defined after it
    validator = SchemaValidator(_failing_fast(model.__pydantic_core_schema__))
    write = own_json(model) if traits(model).canonical else None
    return _Prepared(validator.validate_python, write)


def _failing_fast(schema: Any) -> Any:
    """A copy of a core schema, or of a part of one, whose collections stop at the first error."""
    if isinstance(schema, list | tuple):
        return type(schema)(_failing_fast(one) for one in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if not isinstance(kind, str):  # schemas by name, such as those of fields
        return {name: _failing_fast(one) for name, one in schema.items()}
    changed = {
        name: one if name in NO_SCHEMAS else _failing_fast(one) for name, one in schema.items()
    }
    return changed | {"fail_fast": True} if kind in _COLLECTIONS else changed


def _check_number_of_fields(fields: Mapping[str, Any], task_type: TaskType) -> None:
    if len(fields) - len(task_type.Input.model_fields) > _MOST_MORE_FIELDS:
        there_are = ", ".join(_names(task_type))
        raise InvalidInputError(
            [("", f"has {len(fields)} fields, which are too many; there are: {there_are}")]
        )


def models(types: Sequence[TaskType]) -> dict[str, TaskType]:
    """What `model` may be at an endpoint: the last parts of its types' names, in order."""
    return {kind.name.split("/", 1)[1]: kind for kind in types if "/" in kind.name}


def takes_model(task_type: TaskType) -> bool:
    """Whether `model` is an input field of the type's own."""
    return MODEL in all_read_names(task_type.Input)


def _pick(types: Sequence[TaskType], raw: Mapping[str, Any]) -> tuple[TaskType, Mapping[str, Any]]:
    if not (choices := models(types)):
        return types[0], raw
    wanted = raw[MODEL]
    task_type = choices.get(wanted) if isinstance(wanted, str) else None
    if task_type is None:
        if takes_model(types[0]):
            return types[0], raw
        there_are = ", ".join(sorted(choices))
        raise InvalidInputError([(f"/{MODEL}", f"no such model here; there are: {there_are}")])
    if takes_model(task_type):
        return task_type, raw
    return task_type, {name: value for name, value in raw.items() if name != MODEL}


def _errors(error: ValidationError, task_type: TaskType) -> list[tuple[str, str]]:
    errors = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        detail = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden" and len(found["loc"]) == 1:
            detail = f"not a field of this input; there are: {', '.join(_names(task_type))}"
        elif found["type"] == "missing":
            detail = "is required"
        errors.append((_pointer(found["loc"]), detail))
    return errors


def _names(task_type: TaskType) -> list[str]:
    return [names[0] for names in read_names(task_type.Input).values()]


def _pointer(location: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
