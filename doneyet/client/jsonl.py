"""Files with one JSON value a line: inputs in, answers out."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import isinf
from pathlib import Path
from typing import Any, NoReturn, TextIO

STANDARD = "-"
"""In the place of a file name: standard input or output."""


_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


def parse_json(text: str) -> Any:
    """The value that `text` is; raises `ValueError` for what others cannot read: `NaN`, `1e400`."""
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def read_lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1; without a byte order mark."""
    for number, line in enumerate(file, start=1):
        if text := (line.removeprefix("\ufeff") if number == 1 else line).strip():
            yield number, text


def count_lines(path: str) -> int | None:
    """How many lines of the file are not blank; None where it can be read only once."""
    if path == STANDARD or not Path(path).is_file():
        return None
    with open(path, encoding="utf-8", errors="replace") as file:
        return sum(1 for _ in read_lines(file))


@contextmanager
def opened_input(path: str) -> Iterator[TextIO]:
    """The file at `path`, or standard input.

    Raises:
        UnicodeError: it is no UTF-8 at all.
    """
    # A byte that is no UTF-8 spoils its own line only, which the server refuses.
    if path == STANDARD:
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
        yield sys.stdin
        return
    if Path(path).is_file():
        with open(path, "rb") as raw:
            _check_start(path, raw.read(4))
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        yield file


def is_one_file(one: str, other: str) -> bool:
    """Whether both names, links followed, mean one file."""
    return Path(one).is_file() and Path(other).exists() and os.path.samefile(one, other)  # noqa: PTH121


@contextmanager
def opened_output(path: str) -> Iterator[TextIO]:
    """A file that appears at `path` when it is complete, and not at all on an exception.

    A symbolic link stays one: the file that it leads to is replaced. What is no file (a pipe, a
    device, `/dev/stdout`) is written as the answers come.
    """
    if path == STANDARD:
        yield sys.stdout
        sys.stdout.flush()
        return
    if (descriptor := _descriptor(path)) is not None:
        # A file behind it may be one to append to, so it is neither opened again nor replaced.
        with open(os.dup(descriptor), "w", encoding="utf-8") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with open(target, "w", encoding="utf-8") as file:
            yield file
        return
    with _named(path):
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    unfinished = Path(name)
    try:
        with _named(path), open(descriptor, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        unfinished.chmod(mode)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Errors of the operating system name the file that somebody wanted, not a temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename == path:
            raise
        raise OSError(error.errno, error.strerror, path) from error


def _descriptor(path: str) -> int | None:
    """The open file that a name such as `/dev/stdout` means, also through links."""
    for _ in range(40):  # as many links as Linux follows
        path = os.path.abspath(path)  # noqa: PTH100  # which resolves no links
        if path in _STREAMS:
            return _STREAMS[path]
        if found := re.fullmatch(r"/(?:dev|proc/self)/fd/(\d+)", path):
            return int(found[1])
        if not Path(path).is_symlink():
            return None
        path = str(Path(path).parent / os.readlink(path))  # noqa: PTH115
    return None


def _check_start(path: str, start: bytes) -> None:
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd")):
        raise UnicodeError(f"{path} is compressed; pipe what it decompresses to into `map ... -`")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in start:
        raise UnicodeError(f"{path} is UTF-16 or UTF-32, or no text; save it as UTF-8")


def _finite(text: str) -> float:
    if isinf(number := float(text)):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _umask() -> int:
    """The process' umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
