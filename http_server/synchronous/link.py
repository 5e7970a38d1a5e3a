"""What the server and its engine process say to each other: a line of JSON, then bytes."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

Given = TypeVar("Given")
Got = TypeVar("Got")


LOOK_EVERY_S = 0.25
"""How often who waits looks whether the other end's process is there. The socket alone would not
tell: it stays open for as long as anything has it that the process forked."""


class Link:
    """One end of a stream socket. Without the other end's process, it raises `EOFError`."""

    def __init__(self, end: socket.socket, is_there: Callable[[], bool] = lambda: True) -> None:
        self._socket, self._is_there = end, is_there
        self._read = bytearray()

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Says `head`, and with it `body`.

        Raises:
            EOFError: the other end is gone.
        """
        line = json.dumps({**head, "bytes": len(body)}).encode() + b"\n"
        left = memoryview(line + body)
        while left:
            sent = self._patiently(self._socket.send, left, None)
            left = left[sent:]

    def receive(self, timeout_s: float | None = None) -> tuple[dict[str, Any], bytes]:
        """What the other end says next.

        Raises:
            TimeoutError: nothing was said for `timeout_s`.
            EOFError: the other end is gone.
        """
        give_up_s = None if timeout_s is None else time.monotonic() + timeout_s
        while (at := self._read.find(b"\n")) < 0:
            self._more(give_up_s)
        head = json.loads(self._read[:at])
        del self._read[: at + 1]
        size = head["bytes"]
        while len(self._read) < size:
            self._more(give_up_s)
        body = bytes(self._read[:size])
        del self._read[:size]
        return head, body

    def close(self) -> None:
        """Nothing is said any more."""
        self._socket.close()

    def _more(self, give_up_s: float | None) -> None:
        if not (got := self._patiently(self._socket.recv, 1 << 16, give_up_s)):
            raise EOFError
        self._read += got

    def _patiently(
        self, call: Callable[[Given], Got], given: Given, give_up_s: float | None
    ) -> Got:
        """What `call` of the socket comes to, until the time is over or the other end gone."""
        while True:
            left_s = LOOK_EVERY_S if give_up_s is None else give_up_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            was_there = self._is_there()
            try:
                self._socket.settimeout(min(LOOK_EVERY_S, left_s))
                return call(given)
            except TimeoutError:
                if not was_there:  # so nothing more came than what was said before its end
                    raise EOFError from None
            except OSError as error:
                raise EOFError from error
