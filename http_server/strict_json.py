"""JSON as RFC 8259 and I-JSON mean it; what Python would let pass or choke on is a problem."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from http_server.problem import Problem, bad_request, invalid_whole

MOST_DEPTH = 100
MOST_DIGITS = 4300  # Python's own limit: longer integers take quadratic time to read

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(raw: bytes) -> Any:
    """The value that `raw` means.

    Raises:
        Problem: 400 where it is not JSON or ambiguous, 422 where it is a value nobody can hold.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_json(f"the body is not UTF-8 (byte {error.start})") from None
    if text.count("[") + text.count("{") > MOST_DEPTH:
        _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _not_json(f"{error.msg} ({where})" if text.strip() else "the body is empty") from None
    if _SURROGATE.search(text):
        _check_encodable(value)
    return value


def _check_depth(text: str) -> None:
    """Counted beforehand: how deep Python itself can go depends on its version and the stack."""
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        part = match[0]
        if part in "[{":
            depth += 1
            if depth > MOST_DEPTH:
                raise bad_request(f"the JSON is nested deeper than {MOST_DEPTH} levels", "not-json")
        elif part in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise bad_request(f"the name {_shown(twice)} is given twice in one object", "not-json")
    return made


def _constant(name: str) -> NoReturn:
    raise _not_json(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise invalid_whole(f"the number {_shown(text)} is too large for a double")
    return value


def _int(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise invalid_whole(f"a number has {len(text)} digits; at most {MOST_DIGITS} are read")
    return int(text)


def _check_encodable(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise invalid_whole("a string has half a surrogate pair, which is no character") from None


def _shown(text: str) -> str:
    return json.dumps(text if len(text) <= 40 else text[:37] + "...")


def _not_json(detail: str) -> Problem:
    return bad_request(detail, "not-json")
