"""Inputs as JSON: what Python's own types mean, and what numpy, pandas and pydantic have."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_HINTS = {
    "Decimal": "give float(...), or str(...) for all its digits",
    "bytes": "give text, as by .decode()",
    "set": "give a list, which has an order",
    "frozenset": "give a list, which has an order",
    "generator": "give a list of what it yields",
}


def to_json(item: Any) -> str:
    """One input as JSON: a mapping, or a row that has names (of pandas, of pydantic, a dataclass).

    Raises:
        TypeError: something in it has no plain meaning in JSON; says which field.
        ValueError: a number that JSON lacks, as NaN; says which field.
    """
    try:
        if isinstance(item, dict):
            return json.dumps(item, allow_nan=False)
    except (TypeError, ValueError):
        pass  # what follows takes more, and says what is wrong with the rest
    return json.dumps(_plain(_row(item), ""), allow_nan=False)


def all_to_json(inputs: Iterable[Any]) -> Iterable[str]:
    """`to_json` of each; of a data frame, each row.

    Raises:
        TypeError, ValueError: as `to_json`; says which input.
    """
    for index, item in enumerate(rows_of(inputs)):
        try:
            yield to_json(item)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"input {index}: {error}") from error


def rows_of(inputs: Iterable[Any]) -> Iterable[Any]:
    """`inputs`, or the rows of a data frame, which would give its columns' names."""
    if hasattr(inputs, "to_dict") and hasattr(inputs, "columns"):
        rows: list[Any] = inputs.to_dict("records")
        return rows
    return inputs


def merged(given: Any, fields: Mapping[str, Any]) -> Any:
    """One input of a whole one (a mapping or a row; None: nothing) and single fields."""
    if given is None:
        return dict(fields)
    row = _row(given)
    if not isinstance(row, Mapping):
        raise TypeError(f"an input has named fields; a {type(given).__name__} has none")
    return {**row, **fields}


def _row(item: Any) -> Any:
    """What has names is a mapping of them."""
    if isinstance(item, tuple) and hasattr(item, "_asdict"):
        return item._asdict()
    if isinstance(item, type):
        return item
    if hasattr(item, "model_dump"):
        return item.model_dump(mode="json")
    if dataclasses.is_dataclass(item):
        return {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    if hasattr(item, "to_dict") and not hasattr(item, "columns"):  # a row of a data frame
        return item.to_dict()
    return item


def _plain(value: Any, at: str) -> Any:
    """`value` in types that JSON has; `at` is where it stands, for messages."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(
                f"{_where(at)}{value!r} is not JSON compliant; JSON has no such number"
            )
        return value
    try:
        return _opened(value, at)
    except RecursionError:
        raise ValueError(f"{_where(at)}nested too deep, or within itself") from None


def _opened(value: Any, at: str) -> Any:
    if isinstance(value, Mapping):
        return {_name(name, at): _plain(part, f"{at}/{name}") for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [_plain(part, f"{at}/{index}") for index, part in enumerate(value)]
    if not isinstance(value, type):
        if hasattr(value, "tolist"):  # an array, a scalar of numpy, a column of a data frame
            return _plain(value.tolist(), at)
        if (rows := rows_of(value)) is not value or (rows := _row(value)) is not value:
            return _plain(rows, at)
    kind = type(value).__name__
    hint = _HINTS.get(kind, "give str(...) of it, or what the task takes")
    raise TypeError(f"{_where(at)}a {kind} is not JSON serializable; {hint}")


def _name(name: Any, at: str) -> str:
    if isinstance(name, str):
        return name
    if isinstance(name, int) or hasattr(name, "item"):
        return str(name)
    raise TypeError(f"{_where(at)}the name {name!r} is not a string")


def _where(at: str) -> str:
    return f"{at.removeprefix('/')}: " if at else ""


def checked_id(task_id: str) -> str:
    """`task_id`, which is a part of a path.

    Raises:
        ValueError: it is not an id.
    """
    if not re.fullmatch(r"[0-9A-Za-z_-]+", task_id):
        raise ValueError(f"a task's id is 40 hexadecimal digits, as in its answer; not {task_id!r}")
    return task_id
