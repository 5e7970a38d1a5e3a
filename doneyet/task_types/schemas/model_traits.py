"""What a model's schema tells of its way to JSON and back, found once per model."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel

NO_SCHEMAS = frozenset({"default", "metadata", "config", "expected"})
"""Members of a core schema that hold values, and no schemas."""

_PLAIN = frozenset(
    {"model", "model-fields", "model-field", "typed-dict", "typed-dict-field", "computed-field"}
    | {"str", "int", "float", "bool", "none", "nullable", "literal", "enum", "any", "default"}
    | {"list", "tuple", "dict", "set", "frozenset", "definitions", "definition-ref"}
    | {"bytes", "decimal", "date", "datetime", "time", "timedelta", "uuid"}
)
"""Kinds of schemas whose values are the same again when they are read from their JSON."""


@dataclass
class Traits:
    """Of one model, and of what is nested in it."""

    plain: bool = True
    """Whether each value is surely the same again when it is read from its JSON."""
    sets: bool = False
    """Whether there may be sets, which have no order."""
    hidden: list[str] = field(default_factory=list)
    """Fields that are left out of the JSON, or masked there."""


@cache
def traits(model: type[BaseModel]) -> Traits:
    """The traits of `model`."""
    model.model_rebuild()  # where it names classes that were defined after it
    found = Traits()
    _look(model.__pydantic_core_schema__, "", found)
    found.sets = found.sets or not found.plain
    return found


@cache
def writes_freely(model: type[BaseModel]) -> bool:
    """Whether `model` may write names that it does not declare."""
    return (
        model.model_config.get("extra") == "allow"
        or bool(model.__pydantic_decorators__.model_serializers)
        or "__get_pydantic_core_schema__" in vars(model)
    )


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
    own = ("serialization", "post_init", "custom_init", "default_factory")
    written_otherwise = any(str(name).startswith("ser_json") for name in schema.get("config") or ())
    if kind not in _PLAIN or written_otherwise or any(schema.get(name) for name in own):
        found.plain = False
    if kind in ("set", "frozenset") or isinstance(schema.get("default"), set | frozenset):
        found.sets = True
