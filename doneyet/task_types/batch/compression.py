"""Files that are compressed, as their names say: `.gz`, `.bz2` and `.xz`."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple


class _Kind(NamedTuple):
    name: str
    magic: bytes
    """What each such file begins with."""
    open: Callable[..., Any]
    """As `gzip.open`: the content of an open file, read or written."""


def _gzip(file: BinaryIO, mode: str) -> Any:
    """Without a time and a name in it, so that the same answers are the same file."""
    return gzip.GzipFile("", mode, compresslevel=6, fileobj=file, mtime=0)


KINDS = {
    ".gz": _Kind("gzip", b"\x1f\x8b", _gzip),
    ".bz2": _Kind("bzip2", b"BZh", bz2.open),
    ".xz": _Kind("xz", b"\xfd7zXZ\0", lzma.open),
}
"""By the ending of a file's name."""

REFUSED = frozenset(
    {
        ".zip",
        ".zst",
        ".zstd",
        ".lz4",
        ".lzma",
        ".snappy",
        ".br",
        ".7z",
        ".rar",
        ".tar",
        ".tgz",
        ".z",
    }
)
"""Endings of files that would have to be compressed in a way that is not known here."""

_BROKEN = (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)


class CompressionError(ValueError):
    """Raised when a file is not compressed as its name says."""


def check_name(name: str) -> None:
    """Refuses the name of a file that would have to be compressed in an unknown way.

    Raises:
        CompressionError: it has such an ending.
    """
    if (ending := _ending(name)) in REFUSED:
        raise CompressionError(
            f"{name!r} ends in {ending}, which is not known here; use {', '.join(KINDS)}, or none"
        )


def plain_name(name: str) -> str:
    """`name` in lower case without the ending of its compression: `a.jsonl` of `A.jsonl.gz`."""
    return name.lower().removesuffix(_ending(name) if _ending(name) in KINDS else "")


@contextmanager
def opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """The content of the file at `path`, whose name says how it is compressed.

    Raises:
        CompressionError: also later, while it is read: it is broken, or compressed otherwise.
    """
    kind = KINDS.get(_ending(name))
    with path.open("rb") as file:
        found = _kind_of(file)
        if found is not kind:
            if kind is None and found is not None:
                ending = next(ending for ending, each in KINDS.items() if each is found)
                raise CompressionError(
                    f"the input is compressed by {found.name}; give its name the ending {ending}"
                )
            if kind is not None and file.read(1):
                raise CompressionError(
                    f"the input's name ends in {_ending(name)}, but it is not compressed by "
                    f"{kind.name}; compress it, or take that ending away"
                )
            file.seek(0)
        if kind is None or found is None:
            yield file
            return
        try:
            with kind.open(file, "rb") as content:
                yield content
        except (*_BROKEN, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise CompressionError(
                f"the input cannot be decompressed ({kind.name}): {error}; is all of it there?"
            ) from error


@contextmanager
def created(path: Path, name: str) -> Iterator[BinaryIO]:
    """A new file at `path`, compressed as its name says."""
    kind = KINDS.get(_ending(name))
    with path.open("wb") as file:
        if kind is None:
            yield file
            return
        with kind.open(file, "wb") as content:
            yield content


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _kind_of(file: BinaryIO) -> _Kind | None:
    """How the file is compressed by its first bytes; it is at its start afterwards."""
    start = file.read(8)
    file.seek(0)
    return next((kind for kind in KINDS.values() if start.startswith(kind.magic)), None)
