"""Files with one JSON value a line: inputs in, answers out."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO

STANDARD = "-"
"""In the place of a file name: standard input or output."""


def parse_json(text: str) -> Any:
    """The value that `text` is; raises `ValueError` for what no JSON parser need take, as `NaN`."""
    return json.loads(text, parse_constant=_refuse)


def read_lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1."""
    for number, line in enumerate(file, start=1):
        if text := line.strip():
            yield number, text


def count_lines(path: str) -> int | None:
    """How many lines of the file are not blank; None where it can be read only once."""
    if path == STANDARD or not Path(path).is_file():
        return None
    with open(path, encoding="utf-8", errors="replace") as file:
        return sum(1 for _ in read_lines(file))


@contextmanager
def opened_input(path: str) -> Iterator[TextIO]:
    """The file at `path`, or standard input."""
    if path == STANDARD:
        yield sys.stdin
        return
    # A byte that is no UTF-8 spoils its own line only, which the server refuses.
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        yield file


@contextmanager
def opened_output(path: str) -> Iterator[TextIO]:
    """A file that appears at `path` when it is complete, and not at all on an exception."""
    if path == STANDARD:
        yield sys.stdout
        sys.stdout.flush()
        return
    target = Path(path)
    if target.exists() and not target.is_file():  # /dev/stdout, a pipe: nothing to replace
        with open(target, "w", encoding="utf-8") as file:
            yield file
        return
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    unfinished = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            yield file
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        unfinished.chmod(mode)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _umask() -> int:
    """The process' umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
