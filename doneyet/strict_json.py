"""JSON as RFC 8259 and I-JSON mean it; what Python would let pass or choke on is refused."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

MOST_DEPTH = 100
MOST_DIGITS = 4300  # Python's own limit: longer integers take quadratic time to read

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class NotJSONError(ValueError):
    """Raised when a text is nearly JSON: ambiguous, too deep, or with a value that JSON lacks."""


class UnkeepableError(ValueError):
    """Raised when a text is JSON, but has a value that nobody can hold."""


def loads(text: str) -> Any:
    """The value that `text` means.

    Raises:
        json.JSONDecodeError: it is no JSON; has line and column.
        NotJSONError, UnkeepableError: see there.
    """
    if text.count("[") + text.count("{") > MOST_DEPTH:
        _check_depth(text, 0, len(text))
    value = _DECODER.decode(text)
    if _SURROGATE.search(text):
        _check_encodable(value)
    return value


def decode_at(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at `start`, and where it ends.

    Raises:
        As `loads`, which tells nothing of where the value ends; `end_of` does.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise _too_deep() from None
    if text.count("[", start, end) + text.count("{", start, end) > MOST_DEPTH:
        _check_depth(text, start, end)
    if _SURROGATE.search(text, start, end):
        _check_encodable(value)
    return value, end


def end_of(text: str, start: int) -> int:
    """Where the value that begins at `start` ends, be it one that `decode_at` refuses.

    Raises:
        json.JSONDecodeError: it is no JSON.
        NotJSONError: it is nested too deep to say.
    """
    try:
        return _LENIENT.raw_decode(text, start)[1]
    except RecursionError:
        raise _too_deep() from None


def _check_depth(text: str, start: int, end: int) -> None:
    """Counted apart: how deep Python itself can go depends on its version and the stack."""
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text, start, end):
        part = match[0]
        if part in "[{":
            depth += 1
            if depth > MOST_DEPTH:
                raise _too_deep()
        elif part in "]}":
            depth -= 1


def _too_deep() -> NotJSONError:
    return NotJSONError(f"the JSON is nested deeper than {MOST_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen = Counter(name for name, _ in pairs)
        twice = next(name for name, times in seen.items() if times > 1)
        raise NotJSONError(f"the name {_shown(twice)} is given twice in one object")
    return made


def _constant(name: str) -> NoReturn:
    raise NotJSONError(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise UnkeepableError(f"the number {_shown(text)} is too large for a double")
    return value


def _int(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise UnkeepableError(f"a number has {len(text)} digits; at most {MOST_DIGITS} are read")
    return int(text)


def _check_encodable(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UnkeepableError(
            "a string has half a surrogate pair, which is not a character"
        ) from None


def _shown(text: str) -> str:
    return json.dumps(text if len(text) <= 40 else text[:37] + "...")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int
)
_LENIENT = json.JSONDecoder(parse_int=len, parse_float=len)
