"""Asks a server over HTTP as fast as it answers: connections that each ask again once answered.

One thread over epoll, requests prepared as bytes: about ten microseconds of processor a request,
well below what any server here takes. It needs nothing installed, and it looks at every answer.
"""

from __future__ import annotations

import gc
import json
import selectors
import socket
import time
from collections.abc import Sequence
from typing import Any

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
READ_BYTES = 1 << 20


class WrongAnswerError(Exception):
    """Raised when a server answers something else than was expected; shows the answer."""


def post(path: str, body: Any, *more: str) -> bytes:
    """A request with a JSON body, ready to be sent; `more` are header lines."""
    text = json.dumps(body, separators=(",", ":")).encode()
    head = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(text)}",
        *more,
    ]
    return "\r\n".join(head).encode() + _HEAD_END + text


def answer_end(data: bytes | bytearray) -> int:
    """Where the answer at the start of `data` ends; 0 while its head is not complete."""
    head_end = data.find(_HEAD_END)
    if head_end < 0:
        return 0
    head = bytes(data[:head_end]).lower() + b"\r\n"
    at = head.find(_LENGTH)
    if at < 0:
        raise WrongAnswerError(f"an answer without a length: {bytes(data[:300])!r}")
    length = int(head[at + len(_LENGTH) : head.index(b"\r\n", at)])
    return head_end + len(_HEAD_END) + length


class Connection:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = bytearray()
        self._end = 0

    def read(self) -> bytes | None:
        """The whole answer, once its last part is there."""
        part = self.socket.recv(READ_BYTES)
        if not part:
            raise WrongAnswerError(f"the server hung up after {bytes(self._data[:300])!r}")
        self._data += part
        if not self._end:
            self._end = answer_end(self._data)
        if not self._end or len(self._data) < self._end:
            return None
        answer, self._end = bytes(self._data), 0
        self._data.clear()
        return answer

    def ask(self, request: bytes) -> bytes:
        """The answer to one request."""
        self.socket.sendall(request)
        while (answer := self.read()) is None:
            pass
        return answer


def answers_per_s(
    port: int,
    requests: Sequence[bytes],
    expected: bytes,
    connections: int,
    seconds: float,
    *,
    once: bool = False,
) -> float:
    """How many requests a second are answered, `requests` being sent in turn.

    It ends after `seconds`, or with `once` when each has been sent, if that is sooner.

    Raises:
        WrongAnswerError: an answer is not 200, or `expected` is not in it.
    """
    asking = [Connection(port) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        for each in asking:
            selector.register(each.socket, selectors.EVENT_READ, each)
        gc.disable()
        try:
            return _hammer(selector, asking, requests, expected, seconds, once)
        finally:
            gc.enable()
            for each in asking:
                each.socket.close()


def _hammer(
    selector: selectors.BaseSelector,
    asking: Sequence[Connection],
    requests: Sequence[bytes],
    expected: bytes,
    seconds: float,
    once: bool,
) -> float:
    count, answered = len(requests), 0
    most = count if once else float("inf")
    began_s = time.perf_counter()
    ends_s = began_s + seconds
    sent = 0
    for each in asking:
        each.socket.sendall(requests[sent % count])
        sent += 1
    while (now_s := time.perf_counter()) < ends_s and answered + len(asking) <= most:
        for key, _ in selector.select(1.0):
            answer = key.data.read()
            if answer is None:
                continue
            if not answer.startswith(b"HTTP/1.1 200") or expected not in answer:
                raise WrongAnswerError(f"not the expected answer: {answer[:500]!r}")
            answered += 1
            if sent >= most:
                continue
            key.data.socket.sendall(requests[sent % count])
            sent += 1
    return answered / (now_s - began_s)
