"""From a JSON value to a task: pick the task type, validate, make it canonical, hash it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator

from doneyet.task_types.base import TaskType

MODEL = "model"
"""The member of a request that picks one of an endpoint's task types."""


_COLLECTIONS = frozenset({"list", "tuple", "set", "frozenset", "dict"})
_NO_SCHEMAS = frozenset({"default", "metadata", "config", "expected"})
_MOST_MORE_FIELDS = 1000
"""Fields beyond those of the input that are looked at one by one."""


class InvalidInputError(ValueError):
    """Raised when a value is no input of its task type.

    `errors` are pairs of a JSON pointer (RFC 6901; empty: the whole) and what is wrong there.
    """

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{at}: {text}" if at else text for at, text in errors))
        self.errors = errors


class Asked(NamedTuple):
    """One input, ready to be asked."""

    type: TaskType
    item: BaseModel
    canonical: bytes
    """The input as canonical JSON."""
    id: str
    """The task's id."""


def asked(types: Sequence[TaskType], raw: Any) -> Asked:
    """What the JSON value `raw` asks of `types`, which share an endpoint; the first is its default.

    Raises:
        InvalidInputError: names each wrong field.
    """
    if not isinstance(raw, dict):
        raise InvalidInputError([("", "an input is a JSON object")])
    task_type, fields = _pick(types, raw)
    try:
        _check_number_of_fields(fields, task_type)
        item = _validator(task_type.Input).validate_python(fields, extra="forbid")
        canonical = task_type.canonical(item)
    except ValidationError as error:
        raise InvalidInputError(_errors(error, task_type)) from None
    except (ValueError, RecursionError) as error:
        raise InvalidInputError([("", f"the input cannot be kept as JSON: {error}")]) from None
    return Asked(task_type, item, canonical, task_type.task_id(canonical))


@cache
def _validator(model: type[BaseModel]) -> SchemaValidator:
    """What validates as `model` does, but reports the first wrong item of a list or dict only: of
    millions, errors would take gigabytes."""
    model.model_rebuild()  # where it names classes that were defined after it
    return SchemaValidator(_failing_fast(model.__pydantic_core_schema__))


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
        name: one if name in _NO_SCHEMAS else _failing_fast(one) for name, one in schema.items()
    }
    return changed | {"fail_fast": True} if kind in _COLLECTIONS else changed


def _check_number_of_fields(fields: Mapping[str, Any], task_type: TaskType) -> None:
    more = len(fields) - len(task_type.Input.model_fields)
    if more > _MOST_MORE_FIELDS:
        there_are = ", ".join(_names(task_type))
        raise InvalidInputError(
            [("", f"has {len(fields)} fields, which are too many; there are: {there_are}")]
        )


def models(types: Sequence[TaskType]) -> dict[str, TaskType]:
    """What `model` may be at an endpoint: the last parts of its types' names, in order."""
    return {kind.name.split("/", 1)[1]: kind for kind in types if "/" in kind.name}


def takes_model(task_type: TaskType) -> bool:
    """Whether `model` is an input field of the type's own."""
    return MODEL in task_type.Input.model_fields


def _pick(types: Sequence[TaskType], raw: Mapping[str, Any]) -> tuple[TaskType, Mapping[str, Any]]:
    choices = models(types)
    if MODEL not in raw or not choices:
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
    return [field.alias or name for name, field in task_type.Input.model_fields.items()]


def _pointer(location: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
