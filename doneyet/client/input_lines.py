"""The lines of a file of inputs: good ones are submitted, broken ones keep their place."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from doneyet.client.answers import Outcome
from doneyet.client.errors import ClientError
from doneyet.client.jsonl import parse_json


class BrokenLineError(ClientError):
    """Raised when a line of the input file is no JSON."""

    code = "invalid-json"


class Lines:
    """A file's lines: good ones go to the server, broken ones keep their place."""

    def __init__(self, lines: Iterable[tuple[int, str]]) -> None:
        self._lines = lines
        self._read: deque[tuple[int, BrokenLineError | None]] = deque()
        self.broken = 0

    def good(self) -> Iterator[str]:
        """The lines that are JSON."""
        for number, text in self._lines:
            try:
                text.encode()
                parse_json(text)
            except UnicodeEncodeError as error:
                self.broken += 1
                byte = ord(text[error.start]) - 0xDC00  # as `surrogateescape` keeps it
                why = f"not UTF-8: the byte 0x{byte:02x} at character {error.start + 1}"
                self._read.append((number, BrokenLineError(why)))
                continue
            except (ValueError, RecursionError) as error:
                self.broken += 1
                self._read.append((number, BrokenLineError(f"not JSON: {error}")))
                continue
            self._read.append((number, None))
            yield text

    def merged(self, outcomes: Iterable[Outcome]) -> Iterator[tuple[int, Outcome]]:
        """Line numbers and what came of them, in order; `outcomes` are those of `good`."""
        for outcome in outcomes:
            yield from self._broken_first()
            yield self._read.popleft()[0], outcome
        yield from self._broken_first()

    def _broken_first(self) -> Iterator[tuple[int, BrokenLineError]]:
        while self._read:
            number, error = self._read[0]
            if error is None:
                return
            self._read.popleft()
            yield number, error
