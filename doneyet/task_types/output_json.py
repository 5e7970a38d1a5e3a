"""Outputs as JSON, which has no NaN and no infinity."""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic import BaseModel


class NotFiniteError(ValueError):
    """Raised when an output holds a number that JSON cannot carry; says where."""


def output_json(output: BaseModel) -> bytes:
    """`output` as a JSON object.

    Raises:
        NotFiniteError: a float in it is NaN or infinite. pydantic would write `null`, which says
            that there is no value, or `NaN`, which is no JSON. Where a type has it written as a
            string (`ser_json_inf_nan="strings"`), that is its answer.
        ValueError: it has something else that JSON cannot carry.
    """
    body = output.model_dump_json().encode()
    if b"null" in body or b"NaN" in body or b"Infinity" in body:
        _check(output.model_dump(), json.loads(body), "")
    return body


def _check(value: Any, written: Any, place: str) -> None:
    """Looks for floats in `value` that were not written as numbers."""
    if isinstance(value, float):
        lost = written is None or isinstance(written, float)
        if lost and not math.isfinite(value):
            raise NotFiniteError(f"{place} is {value}, and JSON has no such number")
    elif isinstance(value, dict) and isinstance(written, dict):
        for name, part in value.items():
            _check(part, written.get(str(name)), f"{place}.{name}" if place else str(name))
    elif isinstance(value, list | tuple) and isinstance(written, list):
        for at, (part, kept) in enumerate(zip(value, written, strict=False)):
            _check(part, kept, f"{place}[{at}]")
