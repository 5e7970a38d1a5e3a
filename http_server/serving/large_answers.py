"""Large answers are sent piece by piece, and few at once: their clients may read slowly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from http_server.wire.problem import unavailable
from http_server.wire.response import problem_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LARGE_BYTES = 1024 * 1024
"""An answer that is larger is sent piece by piece, as fast as its client reads."""

MOST_LARGE_BYTES = 32 * 1024 * 1024
"""What all answers that are being sent so may take; beyond it they are refused with a 503. One is
always sent, however large, else it never could be."""

_PIECE_BYTES = 256 * 1024


class LargeAnswers:
    """Counts the large answers that are on their way."""

    def __init__(self, most_bytes: int = MOST_LARGE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self.bytes = 0

    def pieces(self, answer: bytes) -> Iterator[bytes] | None:
        """`answer` in pieces; None where too many others are being read."""
        with self._lock:
            if self.bytes and self.bytes + len(answer) > self._most_bytes:
                return None
            self.bytes += len(answer)
        return _Pieces(answer, self)

    def sent(self, size_bytes: int) -> None:
        """So many bytes are not kept any more."""
        with self._lock:
            self.bytes -= size_bytes


class _Pieces:
    """One large answer; `close` is called when it was sent or its client went."""

    def __init__(self, answer: bytes, room: LargeAnswers) -> None:
        self._answer, self._room, self._at = answer, room, 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._answer[self._at : self._at + _PIECE_BYTES]
        if not piece:
            raise StopIteration
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """Makes room for others."""
        self._room.sent(len(self._answer))
        self._answer = b""


def with_large_answers(
    app: WSGIApplication, room: LargeAnswers
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """`app`, whose large answers are sent in pieces, or refused where there is no room for them."""

    def sending(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = app(environ, start_response)
        if not isinstance(answer, list) or len(answer) != 1 or len(answer[0]) <= LARGE_BYTES:
            return answer
        pieces = room.pieces(answer[0])
        if pieces is not None:
            return pieces
        problem = unavailable("too many large answers are being sent; request fewer at once")
        return problem_response(problem)(environ, start_response)

    return sending
