"""The items of a job's input file: a JSON array, or JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from tasks import strict_json

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\n\r]*")


class Item(NamedTuple):
    """One item, or why there is none in its place."""

    number: int
    """From 1 on."""
    line: int | None
    """Its line, from 1 on, where the file has one item a line."""
    value: Any
    fault: str | None = None


class BrokenFileError(ValueError):
    """Raised when a file is no JSON array, as it should be; tells line and column."""


def read_items(path: Path) -> Iterator[Item]:
    """The items in order; of lines no more than one is held, of an array all of its text.

    Raises:
        BrokenFileError: an array that is not valid JSON.
    """
    with path.open("rb") as file:
        if _is_array(file):
            yield from _array(file)
            return
        number = 0
        for line_number, line in enumerate(file, 1):
            if text := _stripped(line, line_number):
                number += 1
                yield _line(number, line_number, text)


def count_items(path: Path) -> int:
    """How many items `read_items` gives.

    Raises:
        BrokenFileError: an array that is not valid JSON.
    """
    with path.open("rb") as file:
        if _is_array(file):
            return sum(1 for _ in _array(file))
        return sum(1 for number, line in enumerate(file, 1) if _stripped(line, number))


def _is_array(file: BinaryIO) -> bool:
    """Whether the first character is `[`; the file is at its start afterwards."""
    while (character := file.read(1)) and (character.isspace() or character in _BOM):
        pass
    file.seek(0)
    return character == b"["


def _stripped(line: bytes, line_number: int) -> bytes:
    return (line.removeprefix(_BOM) if line_number == 1 else line).strip()


def _array(file: BinaryIO) -> Iterator[Item]:
    """Element by element, so that one which nobody can hold spoils no other."""
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BrokenFileError(f"the input is not UTF-8 (byte {error.start})") from error
    try:
        number, at = 0, _after_space(text, text.index("[") + 1)
        while text[at : at + 1] != "]":
            if number:
                at = _after_comma(text, at)
            number += 1
            item, at = _element(text, at, number)
            yield item
            at = _after_space(text, at)
        if (rest := _after_space(text, at + 1)) < len(text):
            raise json.JSONDecodeError("there is more after its end", text, rest)
    except json.JSONDecodeError as error:
        raise BrokenFileError(
            f"the input is no JSON array: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error


def _element(text: str, at: int, number: int) -> tuple[Item, int]:
    """The item at `at`, and where it ends."""
    try:
        value, end = strict_json.decode_at(text, at)
        return Item(number, None, value), end
    except (strict_json.NotJSONError, strict_json.UnkeepableError) as refused:
        try:
            return Item(number, None, None, str(refused)), strict_json.end_of(text, at)
        except strict_json.NotJSONError:
            raise json.JSONDecodeError(str(refused), text, at) from refused


def _after_comma(text: str, at: int) -> int:
    if text[at : at + 1] != ",":
        raise json.JSONDecodeError("',' or ']' expected", text, at)
    return _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _line(number: int, line_number: int, line: bytes) -> Item:
    try:
        return Item(number, line_number, strict_json.loads(line.decode()))
    except UnicodeDecodeError as error:
        fault = f"the line is not UTF-8 (byte {error.start})"
    except json.JSONDecodeError as error:
        fault = f"the line is no JSON: {error.msg} at column {error.colno}"
    except (strict_json.NotJSONError, strict_json.UnkeepableError) as error:
        fault = str(error)
    return Item(number, line_number, None, fault)
