"""A job's output file: a JSON array with one element a line, or JSON lines."""

from __future__ import annotations

from typing import BinaryIO


class Output:
    """Writes elements, which are JSON already, one by one."""

    def __init__(self, file: BinaryIO, *, lines: bool) -> None:
        self._file, self._lines = file, lines
        self._first = True

    def add(self, element: bytes) -> None:
        """One more."""
        if self._lines:
            self._file.write(element + b"\n")
            return
        self._file.write(b"[\n" if self._first else b",\n")
        self._file.write(element)
        self._first = False

    def end(self) -> None:
        """No more."""
        if not self._lines:
            self._file.write(b"[]\n" if self._first else b"\n]\n")
