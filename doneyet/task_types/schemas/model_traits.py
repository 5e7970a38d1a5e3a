"""What a model's schema tells of its way to JSON and back, found once per model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType
from typing import Any, TypeVar

from pydantic import BaseModel

NO_SCHEMAS = frozenset({"default", "metadata", "config", "expected", "function"})
"""Members of a core schema that hold values, and no schemas."""

_PLAIN = frozenset(
    {"model", "model-fields", "model-field", "typed-dict", "typed-dict-field", "computed-field"}
    | {"str", "int", "float", "bool", "none", "nullable", "literal", "enum", "any", "default"}
    | {"list", "tuple", "dict", "set", "frozenset", "definitions", "definition-ref"}
    | {"bytes", "decimal", "date", "datetime", "time", "timedelta", "uuid"}
)
"""Kinds of schemas whose values are the same again when they are read from their JSON."""

_CONSTRAINTS = frozenset(
    f"{name}_validator"
    for name in ("less_than", "less_than_or_equal", "greater_than", "greater_than_or_equal")
)
"""pydantic's own functions for limits that an integer in C does not hold; they change nothing."""

_WRITTEN_ALIKE = frozenset({"str", "int", "bool", "none"})
"""Kinds whose JSON is the same by pydantic's serializer and by Python's `json`."""

_stable: set[Any] = set()

Validator = TypeVar("Validator", bound=Callable[..., Any])


def stable(validator: Validator) -> Validator:
    """Declares that a validator returns a value of the field's own kind, and leaves what it
    returned as it is when that is read again; so inputs need not be read twice to find out."""
    _stable.add(validator)
    return validator


@dataclass
class Traits:
    """Of one model, and of what is nested in it."""

    plain: bool = True
    """Whether each value is surely the same again when it is read from its JSON."""
    sets: bool = False
    """Whether there may be sets, which have no order."""
    hidden: list[str] = field(default_factory=list)
    """Fields that are left out of the JSON, or masked there."""
    read_once: list[str] = field(default_factory=list)
    """Fields whose values are gone when somebody has looked at them."""
    canonical: bool = False
    """Whether the model's own JSON is canonical: a few simple fields, in the order of their names
    and without aliases."""


@cache
def traits(model: type[BaseModel]) -> Traits:
    """The traits of `model`."""
    model.model_rebuild()  # where it names classes that were defined after it
    found = Traits()
    _look(model.__pydantic_core_schema__, "", found)
    found.sets = found.sets or not found.plain
    found.canonical = found.plain and not found.hidden and _writes_canonical_json(model)
    return found


@cache
def writes_freely(model: type[BaseModel]) -> bool:
    """Whether `model` may write names that it does not declare."""
    return (
        model.model_config.get("extra") == "allow"
        or bool(model.__pydantic_decorators__.model_serializers)
        or "__get_pydantic_core_schema__" in vars(model)
    )


def _writes_canonical_json(model: type[BaseModel]) -> bool:
    schema = model.__pydantic_core_schema__
    fields = schema.get("schema", {})
    if schema["type"] != "model" or fields.get("type") != "model-fields" or writes_freely(model):
        return False
    own = fields["fields"]
    return (
        list(own) == sorted(own)
        and not fields.get("computed_fields")
        and all("serialization_alias" not in each and _is_simple(each) for each in own.values())
    )


def _is_simple(schema: Any) -> bool:
    """Whether a field's values are written alike by everybody."""
    while "schema" in schema:
        schema = schema["schema"]
    if schema["type"] == "literal":
        return all(type(each) in (str, int, bool, type(None)) for each in schema["expected"])
    return schema["type"] in _WRITTEN_ALIKE


def _look(schema: Any, place: str, found: Traits) -> None:
    if isinstance(schema, list | tuple):
        for one in schema:
            _look(one, place, found)
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    if not isinstance(kind, str):  # schemas by name, such as those of fields
        for name, one in schema.items():
            _look(one, f"{place}.{name}" if place else str(name), found)
        return
    _note(kind, schema, place, found)
    for name, one in schema.items():
        if name == "fields" or (name not in NO_SCHEMAS and isinstance(one, dict | list | tuple)):
            _look(one, place, found)


def _note(kind: str, schema: dict[str, Any], place: str, found: Traits) -> None:
    if schema.get("serialization_exclude") or schema.get("serialization_exclude_if"):
        found.hidden.append(place)
    serializer = (schema.get("serialization") or {}).get("function")
    if getattr(serializer, "__module__", "") == "pydantic.types" and "secret" in str(serializer):
        found.hidden.append(place)
    if kind == "generator":
        found.read_once.append(place)
    own = ("serialization", "post_init", "custom_init", "default_factory")
    written_otherwise = any(str(name).startswith("ser_json") for name in schema.get("config") or ())
    survives = kind in _PLAIN or _keeps_values(kind, schema)
    if not survives or written_otherwise or any(schema.get(name) for name in own):
        found.plain = False
    if kind in ("set", "frozenset") or isinstance(schema.get("default"), set | frozenset):
        found.sets = True


def _keeps_values(kind: str, schema: dict[str, Any]) -> bool:
    """Whether it is a function that is known to change nothing that it returned before."""
    if kind not in ("function-before", "function-after"):
        return False
    function = schema["function"]["function"]
    limit = getattr(function, "func", None)
    return (isinstance(function, FunctionType) and function in _stable) or (
        getattr(limit, "__module__", "") == "pydantic._internal._validators"
        and getattr(limit, "__name__", "") in _CONSTRAINTS
    )
