"""The items of a job's input file: a JSON array, or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

_BOM = b"\xef\xbb\xbf"


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
    """The items in order; lines are read one by one, an array as a whole.

    Raises:
        BrokenFileError: an array that is not valid JSON.
    """
    with path.open("rb") as file:
        if _is_array(file):
            yield from _array(file)
            return
        number = 0
        for line_number, line in enumerate(file, 1):
            text = line.removeprefix(_BOM) if line_number == 1 else line
            if text.strip():
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
        return sum(1 for line in file if line.removeprefix(_BOM).strip())


def _is_array(file: BinaryIO) -> bool:
    """Whether the first character is `[`; the file is at its start afterwards."""
    while (character := file.read(1)) and (character.isspace() or character in _BOM):
        pass
    file.seek(0)
    return character == b"["


def _array(file: BinaryIO) -> Iterator[Item]:
    try:
        values = json.loads(file.read().decode("utf-8-sig"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise BrokenFileError(f"the input is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise BrokenFileError(
            f"the input is no JSON array: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BrokenFileError(f"the input is no JSON array: {error}") from error
    for number, value in enumerate(values, 1):
        yield Item(number, None, value)


def _line(number: int, line_number: int, text: bytes) -> Item:
    try:
        return Item(number, line_number, json.loads(text.decode(), parse_constant=_refuse))
    except UnicodeDecodeError as error:
        return Item(number, line_number, None, f"the line is not UTF-8 (byte {error.start})")
    except json.JSONDecodeError as error:
        fault = f"the line is no JSON: {error.msg} at column {error.colno}"
        return Item(number, line_number, None, fault)
    except (ValueError, RecursionError) as error:
        return Item(number, line_number, None, f"the line is no JSON: {error}")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
