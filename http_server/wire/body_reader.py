"""Request bodies, read as they come; those that do not come are ended.

granian hands a request to a thread when its head is there, and the thread then waits for the body
for as long as the client likes. So each reading is noted, a watch ends what takes too long, and
beyond some readings the oldest makes room. A thread that waits cannot be told to stop, but it wakes
when its connection is cut, and granian cuts a connection whose response breaks off: what ends a
reading is a response that is one byte shorter than it says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from doneyet.settings import Settings
from http_server.serving import sockets
from http_server.serving.memory import give_back
from http_server.wire.problem import MEDIA_TYPE, Problem, bad_request, unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PROTOCOL = "doneyet.protocol"
"""Where in the WSGI environment granian's protocol object stands, which takes the response."""

MOST_SLOW = 256
"""Bodies that may be on their way for longer than `SLOW_AFTER_S`; one more ends the oldest."""

SLOW_AFTER_S = 1.0
LEAST_BYTES_PER_S = 16 * 1024
"""Each so many bytes that came give a body one more second."""

_PIECE_BYTES = 64 * 1024
_POLITENESS = 4  # times the limit that is read and dropped, so that the client sees its 413
_WATCH_S = 0.25
_TRIM_AFTER_BYTES = 16 * 1024 * 1024
_TRIM_S = 2.0
_IN_USE_S = 30.0  # how long a slow machine may need for the requests whose bodies were read
_LOOK_S = 10.0
_FLUSH_S = 0.05  # enough for what was written to go out, before the connection is cut
_FEW = 10  # as many are told why; more only see their connection cut


class _Reading:
    """One body on its way."""

    __slots__ = ("due_s", "ended", "protocol", "since_s")

    def __init__(self, protocol: Any, now_s: float, timeout_s: float) -> None:
        self.protocol, self.since_s, self.due_s = protocol, now_s, now_s + timeout_s
        self.ended = False


class BodyReader:
    """Reads the bodies of one server process; thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._most_bytes, self._timeout_s = settings.max_body_bytes, settings.body_timeout_s
        self._read_bytes = 0  # of large bodies, since memory was given back
        self._given_back_s = self._give_until_s = 0.0
        self._readings: dict[int, _Reading] = {}  # by thread; in the order in which they began

    def read(self, environ: WSGIEnvironment) -> bytes:
        """The whole body.

        Raises:
            Problem: 413 above the setting's bytes, 400 where the client stopped halfway.
        """
        stream = environ["wsgi.input"]
        declared = environ.get("CONTENT_LENGTH") or ""
        length = int(declared[:20]) if declared.isascii() and declared.isdigit() else None
        if length == 0 or (length is None and not environ.get("wsgi.input_terminated")):
            return b""
        protocol = environ.get(PROTOCOL)
        if protocol is None:
            return self._read(stream.read, length, lambda _: None)
        thread = threading.get_ident()
        reading = _Reading(protocol, time.monotonic(), self._timeout_s)
        self._readings[thread] = reading
        try:
            if len(self._readings) > MOST_SLOW:
                self._make_room(reading.since_s)
            return self._read(stream.read, length, lambda size: _put_off(reading, size))
        finally:
            del self._readings[thread]

    def watch(self) -> None:
        """Begins to end, in a thread of its own, bodies that take too long."""
        threading.Thread(target=self._run, name="bodies", daemon=True).start()

    def watch_once(self, now_s: float) -> None:
        """Ends what takes too long by now."""
        late = [one for one in list(self._readings.values()) if now_s > one.due_s]
        for reading in late:
            if not reading.ended:
                flush_s = _FLUSH_S if len(late) <= _FEW else 0.0
                _end(reading, too_slow(self._timeout_s), flush_s)
        self._make_room(now_s)

    def give_back_once(self, now_s: float) -> None:
        """Gives memory back after many large bodies, and for a while again: the last of them are in
        use meanwhile, and nothing tells when their requests end."""
        if now_s - self._given_back_s <= _TRIM_S:
            return
        is_giving = now_s < self._give_until_s
        if self._read_bytes > (0 if is_giving else _TRIM_AFTER_BYTES):
            self._read_bytes = 0
            self._give_until_s = now_s + _IN_USE_S
        elif not is_giving:
            return
        self._given_back_s = now_s
        give_back()

    def _run(self) -> None:
        looked_s = 0.0
        port = None
        while True:
            time.sleep(_WATCH_S)
            now_s = time.monotonic()
            self.watch_once(now_s)
            self.give_back_once(now_s)
            if sockets.are_shown() and now_s - looked_s > _LOOK_S:
                if port is None:
                    port = sockets.listening_port()
                else:
                    looked_s = now_s
                    sockets.close_silent(port)

    def _make_room(self, now_s: float) -> None:
        readings = list(self._readings.values())
        for reading in readings[: max(0, len(readings) - MOST_SLOW)]:
            if now_s - reading.since_s > SLOW_AFTER_S and not reading.ended:
                _end(reading, unavailable("too many request bodies are arriving; try again"), 0.0)

    def _read(
        self, read: Callable[[int], bytes], length: int | None, came: Callable[[int], None]
    ) -> bytes:
        if length is not None and length <= min(self._most_bytes, _PIECE_BYTES):
            body = read(length)
            if len(body) < length:
                raise bad_request("the body ended before its Content-Length")
            return body
        self._read_bytes += length or _PIECE_BYTES
        pieces, total = [], 0
        while piece := read(_PIECE_BYTES):
            total += len(piece)
            came(len(piece))
            if total <= self._most_bytes:
                pieces.append(piece)
            elif total > self._most_bytes * _POLITENESS:
                break
        if total > self._most_bytes or (length is not None and length > self._most_bytes):
            raise too_large(self._most_bytes)
        if length is not None and total < length:
            raise bad_request("the body ended before its Content-Length")
        return b"".join(pieces)


def too_large(most_bytes: int) -> Problem:
    """413: the body is larger than this server reads."""
    return Problem(
        413,
        "too-large",
        f"a request body may have at most {most_bytes} bytes (DONEYET_MAX_BODY_BYTES); send less "
        "at once",
    )


def too_slow(timeout_s: float) -> Problem:
    """408: the body did not come."""
    return Problem(
        408,
        "too-slow",
        f"the body did not come within {timeout_s:g} s (DONEYET_BODY_TIMEOUT_S) and one second for "
        f"each {LEAST_BYTES_PER_S} bytes of it",
    )


def tell_protocol() -> None:
    """Makes granian put its protocol object where `PROTOCOL` says; before it takes requests."""
    from granian.server import mp

    names = vars(mp)
    wrap = names["_wsgi_call_wrap"]

    def telling(callback: Any, *options: Any) -> Callable[[Any, dict[str, Any]], int]:
        run = wrap(callback, *options)

        def call(protocol: Any, scope: dict[str, Any]) -> int:
            scope[PROTOCOL] = protocol
            status: int = run(protocol, scope)
            return status

        return call

    names["_wsgi_call_wrap"] = telling


def _put_off(reading: _Reading, came_bytes: int) -> None:
    reading.due_s += came_bytes / LEAST_BYTES_PER_S


def _end(reading: _Reading, problem: Problem, flush_s: float) -> None:
    """Answers with `problem` and cuts the connection."""
    body = problem.as_json()
    headers = [
        ("content-type", MEDIA_TYPE),
        ("content-length", str(len(body) + 1)),
        ("connection", "close"),
        *problem.headers,
    ]
    reading.ended = True
    reading.protocol.response_iter(problem.status, headers, _Breaking(body, flush_s))


class _Breaking:
    """A response body that ends before its length, when what there is was sent."""

    def __init__(self, body: bytes, flush_s: float) -> None:
        self._left, self._flush_s = [body], flush_s

    def __next__(self) -> bytes:
        if self._left:
            return self._left.pop()
        time.sleep(self._flush_s)
        raise StopIteration

    def close(self) -> None:
        """Nothing to let go of."""
