"""Fields of forms and query strings: texts, which become what the input's schema wants.

JSON says what is a number; a form does not. So a text in the place of a number, a truth value or a
list becomes one where that is plain, and stays a text, for validation to refuse, where it is not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from doneyet.task_types.schemas.field_names import read_names

_INTEGER = re.compile(r"-?[0-9]{1,1000}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,3})?", re.ASCII)


def typed(fields: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """`fields` (name → text, or list of texts) as `model` wants them."""
    schemas, shared = _schemas(model)
    return {
        name: _as(value, schemas[name], shared) if name in schemas else value
        for name, value in fields.items()
    }


@cache
def _schemas(model: type[BaseModel]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of each field by every name it may be given under, and those they refer to."""
    schema = model.model_json_schema()
    schemas = schema.get("properties", {})
    for names in read_names(model).values():
        documented = next((schemas[name] for name in names if name in schemas), None)
        if documented is not None:
            schemas |= dict.fromkeys(names, documented)
    return schemas, schema.get("$defs", {})


def _as(value: Any, schema: Mapping[str, Any], shared: Mapping[str, Any]) -> Any:
    """`value` as the first kind that `schema` allows and that it plainly is."""
    by_type = {kind.get("type"): kind for kind in _kinds(schema, shared)}
    made: Any = value
    if "array" in by_type and not ("string" in by_type and isinstance(value, str)):
        items = by_type["array"].get("items", {})
        made = [_as(one, items, shared) for one in (value if isinstance(value, list) else [value])]
    elif "string" in by_type or not isinstance(value, str):
        pass
    elif "integer" in by_type and _INTEGER.fullmatch(value):
        made = int(value)
    elif "number" in by_type and _NUMBER.fullmatch(value) and math.isfinite(float(value)):
        made = float(value)
    elif "boolean" in by_type and value in ("true", "false"):
        made = value == "true"
    return made


def _kinds(schema: Mapping[str, Any], shared: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives that `schema` has, itself if it has none."""
    if "$ref" in schema:
        schema = shared.get(schema["$ref"].rsplit("/", 1)[-1], {})
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if not alternatives:
        return [schema]
    return [kind for one in alternatives for kind in _kinds(one, shared)]
