"""The value that a request's body means, or the problem that it has.

JSON as RFC 8259 and I-JSON mean it: no names given twice, no `NaN`, no half characters, no number
that would become infinite. Reading takes time in proportion to the body, whatever is in it.
"""

from __future__ import annotations

import contextlib
import gc
import math
import re
from collections.abc import Iterator
from typing import Any

import jiter

from http_server.wire.problem import Problem, bad_request, invalid_whole

MOST_DEPTH = 200
"""Levels of nesting that the parser reads."""

MOST_DIGITS = 4300
"""Digits of an integer that the parser reads; Python has the same limit."""

_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "the body begins with a byte order mark (the bytes EF BB BF); send it without",
    b"\xff\xfe": "the body is UTF-16; send UTF-8",
    b"\xfe\xff": "the body is UTF-16; send UTF-8",
}
_LARGE_BYTES = 256 * 1024
_LARGE_EXPONENT = re.compile(rb"[eE]\+?[0-9]{3}")
_MANY_DIGITS = b"0" * 200  # fewer, and an exponent of two digits, are less than the largest double
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_ERROR = re.compile(r"(.*) at line (\d+) column (\d+)", re.DOTALL)
_NO_JSON = re.compile(rb"NaN|-?Infinity")


def parse(raw: bytes) -> Any:
    """The value that `raw` means.

    Raises:
        Problem: 400 where it is not JSON or ambiguous, 422 where it is a value nobody can hold.
    """
    try:
        with _no_search_for_cycles() if len(raw) > _LARGE_BYTES else contextlib.nullcontext():
            # No cache of strings: it keeps what was sent, and many different names are slower.
            value = jiter.from_json(
                raw, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="none"
            )
    except ValueError as error:
        told = str(error)
    else:
        if _may_be_infinite(raw) and _has_infinite(value):
            raise invalid_whole("a number is too large for a double")
        return value
    raise _problem(raw, told)


@contextlib.contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Python looks for cycles again and again while millions of new lists are made, which takes
    four times as long as making them; meanwhile no other thread runs anyway."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _problem(raw: bytes, told: str) -> Problem:
    """What is wrong with `raw`, of which the parser told this."""
    if not raw.strip():
        return _not_json("the body is empty, or its chunks cannot be read")
    for mark, detail in _BYTE_ORDER_MARKS.items():
        if raw.startswith(mark):
            return _not_json(detail)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return _not_json(f"the body is not UTF-8 (byte {error.start})")
    found = _ERROR.fullmatch(told)
    what, line, column = found.groups() if found else (told, "1", "1")
    where = f"line {line}, column {column}"
    if "hex escape" in what:
        return invalid_whole(
            f"a string has half a surrogate pair, which is not a character ({where})"
        )
    if what == "number out of range":
        return invalid_whole(f"a number has more than {MOST_DIGITS} digits ({where})")
    return _not_json(f"{_in_plain_words(raw, what, int(line), int(column))} ({where})")


def _in_plain_words(raw: bytes, what: str, line: int, column: int) -> str:
    if what == "recursion limit exceeded":
        return f"the JSON is nested deeper than {MOST_DEPTH} levels"
    if what.startswith("Detected duplicate key "):
        name = what.removeprefix("Detected duplicate key ")
        shown = name if len(name) <= 42 else f'{name[:38]}..."'
        return f"the name {shown} is given twice in one object"
    if constant := _NO_JSON.search(raw, *_around(raw, line, column)):
        return f"{constant[0].decode()} is not JSON"
    return what.replace("EOF while parsing", "the body ends within")


def _around(raw: bytes, line: int, column: int) -> tuple[int, int]:
    """From a byte before where the parser stood (`column` counts bytes from 1) to ten after."""
    start = 0
    for _ in range(line - 1):
        start = raw.index(b"\n", start) + 1
    at = start + max(column - 1, 0)
    return max(0, at - 1), at + 10


def _may_be_infinite(raw: bytes) -> bool:
    """Whether a number in `raw` might be too large; quick, and True of some strings, too."""
    return _LARGE_EXPONENT.search(raw) is not None or _MANY_DIGITS in raw.translate(_DIGITS_ALIKE)


def _has_infinite(value: Any) -> bool:
    """A walk in Python, which lets other threads run, of what is rarely walked at all."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
        elif isinstance(one, float) and math.isinf(one):
            return True
    return False


def _not_json(detail: str) -> Problem:
    return bad_request(detail, "not-json")
