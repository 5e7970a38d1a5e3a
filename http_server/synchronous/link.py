"""What the server and its engine process say to each other: a line of JSON, then bytes."""

from __future__ import annotations

import json
import socket
import time
from typing import Any


class Link:
    """One end of a stream socket. Closed at the other end, it raises `EOFError`."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._read = bytearray()

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Says `head`, and with it `body`."""
        line = json.dumps({**head, "bytes": len(body)}).encode() + b"\n"
        try:
            self._socket.settimeout(None)
            self._socket.sendall(line + body)
        except OSError as error:
            raise EOFError from error

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
        left_s = None if give_up_s is None else give_up_s - time.monotonic()
        if left_s is not None and left_s <= 0:
            raise TimeoutError
        try:
            self._socket.settimeout(left_s)
            got = self._socket.recv(1 << 16)
        except TimeoutError:
            raise
        except OSError as error:
            raise EOFError from error
        if not got:
            raise EOFError
        self._read += got
