"""The items of a job's input file: a JSON array, or JSON lines."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from doneyet import strict_json
from doneyet.task_types.batch.compression import opened

MOST_LINE_BYTES = 32 * 1024 * 1024
"""A longer line is an item that fails: it is read past and never held."""
MOST_ARRAY_BYTES = 256 * 1024 * 1024
"""An array is held in memory as a whole, however small a file it was decompressed from."""

_BOM = codecs.BOM_UTF8
_SPACE = re.compile(r"[ \t\n\r]*")
_START_BYTES = 64 * 1024
_PULSE_BYTES = 1 << 20


class Item(NamedTuple):
    """One item, or why there is none in its place."""

    number: int
    """From 1 on."""
    line: int | None
    """Its line, from 1 on, where the file has one item a line."""
    value: Any
    fault: str | None = None
    size: int = 0
    """Bytes of its line; an array is held anyway."""


class BrokenFileError(ValueError):
    """Raised when a file is no JSON array, as it should be; tells line and column."""


def _no_pulse() -> None:
    """Nobody wants to know that the reading goes on."""


def read_items(path: Path, name: str = "", pulse: Callable[[], None] = _no_pulse) -> Iterator[Item]:
    """The items in order; of lines no more than one is held, of an array all of its text.

    Args:
        path: where the file is.
        name: what it is called, which says how it is compressed.
        pulse: called now and then; what it raises ends the reading.

    Raises:
        BrokenFileError: an array that is not valid JSON, or a text that is not UTF-8 at all.
        CompressionError: not compressed as the name says.
    """
    with opened(path, name) as file:
        if _is_array(file, pulse):
            yield from _array(file)
            return
        number = 0
        for line_number, text in _lines(file, pulse):
            if text is None:
                number += 1
                fault = f"the line has more than {MOST_LINE_BYTES} bytes"
                yield Item(number, line_number, None, fault)
            elif text:
                number += 1
                yield _line(number, line_number, text)


def count_items(path: Path, name: str = "", pulse: Callable[[], None] = _no_pulse) -> int:
    """How many items `read_items` gives.

    Raises:
        As `read_items`.
    """
    with opened(path, name) as file:
        if _is_array(file, pulse):
            return sum(1 for _ in _array(file))
        return sum(1 for _, text in _lines(file, pulse) if text is None or text)


def _is_array(file: BinaryIO, pulse: Callable[[], None]) -> bool:
    """Whether the first character is `[`; the file is at its start afterwards."""
    start = file.read(_START_BYTES)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start[:4]:
        raise BrokenFileError("the input is UTF-16 or UTF-32, or no text; save it as UTF-8")
    start = start.removeprefix(_BOM).lstrip()
    while not start and (more := file.read(_START_BYTES)):
        pulse()
        start = more.lstrip()
    file.seek(0)
    return start.startswith(b"[")


def _lines(file: BinaryIO, pulse: Callable[[], None]) -> Iterator[tuple[int, bytes | None]]:
    """Each line's number and text, without spaces around it; None where it is too long."""
    number, unsaid = 0, 0
    while line := file.readline(MOST_LINE_BYTES + 1):
        number += 1
        unsaid += len(line)
        if unsaid > _PULSE_BYTES:
            pulse()
            unsaid = 0
        if len(line) > MOST_LINE_BYTES:
            while not line.endswith(b"\n") and (line := file.readline(_PULSE_BYTES)):
                pulse()
            yield number, None
            continue
        yield number, (line.removeprefix(_BOM) if number == 1 else line).strip()


def _array(file: BinaryIO) -> Iterator[Item]:
    """Element by element, so that one which nobody can hold spoils no other."""
    content = file.read(MOST_ARRAY_BYTES + 1)
    if len(content) > MOST_ARRAY_BYTES:
        raise BrokenFileError(
            f"the input is a JSON array of more than {MOST_ARRAY_BYTES >> 20} MiB; write it as "
            "JSON lines, one item a line, of which there may be any number"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BrokenFileError(f"the input is not UTF-8 (byte {error.start})") from error
    del content
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
            f"the input is not a JSON array: {error.msg} at line {error.lineno}, "
            f"column {error.colno}"
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
        return Item(number, line_number, strict_json.loads(line.decode()), size=len(line))
    except UnicodeDecodeError as error:
        fault = f"the line is not UTF-8 (byte {error.start})"
    except json.JSONDecodeError as error:
        fault = f"the line is not JSON: {error.msg} at column {error.colno}"
    except (strict_json.NotJSONError, strict_json.UnkeepableError) as error:
        fault = str(error)
    return Item(number, line_number, None, fault)
