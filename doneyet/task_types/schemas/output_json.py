"""Outputs as JSON, which has no NaN and no infinity."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from doneyet import strict_json
from doneyet.strict_json import MOST_DIGITS
from doneyet.task_types.schemas.model_traits import writes_freely

_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_TOO_MANY_DIGITS = b"0" * (MOST_DIGITS + 1)


class NotFiniteError(ValueError):
    """Raised when an output holds a number that JSON cannot carry; says where."""


class TakenNameError(ValueError):
    """Raised when an output writes a name that is taken, or has no names at all."""


def output_json(model: type[BaseModel], output: BaseModel, taken: Collection[str]) -> bytes:
    """`output` as the JSON object that `model`, its class or one above, declares.

    Raises:
        TakenNameError: it writes a name in `taken`, where it may write any.
        NotFiniteError: a float in it is NaN or infinite. pydantic would write `null`, which says
            that there is no value, or `NaN`, which is no JSON. Where a type has it written as a
            string (`ser_json_inf_nan="strings"`), that is its answer.
        ValueError: it has something else that JSON cannot carry, or that no client reads: a name
            twice, or a longer integer than any input may have.
    """
    serializer = model.__pydantic_serializer__
    body = serializer.to_json(output, by_alias=True)
    if b"null" in body or b"NaN" in body or b"Infinity" in body:
        _check(serializer.to_python(output, by_alias=True), json.loads(body), "")
    if writes_freely(model):
        _check_names(strict_json.loads(body.decode()), taken)
    elif len(body) > MOST_DIGITS and _TOO_MANY_DIGITS in body.translate(_DIGITS_AS_ZEROS):
        strict_json.loads(body.decode())
    return body


def _check_names(written: Any, taken: Collection[str]) -> None:
    if not isinstance(written, dict):
        raise TakenNameError("it is not a JSON object")
    if both := sorted(written.keys() & taken):
        raise TakenNameError(f"{both[0]!r} is a name that the answer has already")


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
