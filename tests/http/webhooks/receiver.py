"""A receiver of webhooks that does what a test tells it to."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = base64.b64encode(bytes(range(24))).decode()
"""What webhooks are signed with here, after `whsec_`."""


def is_verified(secret: str, headers: dict[str, str], raw: bytes) -> bool:
    """Whether the library of the standard takes a webhook for genuine."""
    try:
        told = Webhook(secret).verify(raw, headers)
    except WebhookVerificationError:
        return False
    return bool(told == json.loads(raw))


class Received(NamedTuple):
    """One request."""

    path: str
    id: str
    signature: str
    at_s: float
    timestamp_s: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """What it says."""
        return json.loads(self.raw)

    def is_signed(self, secret: str = SECRET) -> bool:
        """Whether one of its signatures is right: computed here, as the standard says, and by its
        library."""
        signed = b"%b.%d.%b" % (self.id.encode(), self.timestamp_s, self.raw)
        made = hmac.new(base64.b64decode(secret), signed, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(made).decode()
        is_right = wanted in self.signature.split(" ")
        assert is_verified(f"whsec_{secret}", self.headers, self.raw) == is_right
        return is_right


Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Notes what comes, and answers as the receiver is told to."""

    server: Receiver

    def do_POST(self) -> None:
        """One delivery."""
        raw = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            self.server.received.append(
                Received(
                    self.path,
                    headers["webhook-id"],
                    headers["webhook-signature"],
                    time.monotonic(),
                    int(headers["webhook-timestamp"]),
                    headers,
                    raw,
                )
            )
            answer = self.server.answers.pop(0) if self.server.answers else status(204)
            self.server.busy += 1
            self.server.most_busy = max(self.server.most_busy, self.server.busy)
        try:
            with contextlib.suppress(OSError):  # who sent it may be gone
                answer(self)
        finally:
            with self.server.lock:
                self.server.busy -= 1

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on standard error."""


class Receiver(ThreadingHTTPServer):
    """What came, and what the next requests get: 204 when nothing else is told."""

    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[Answer] = []
        self.lock = threading.Lock()
        self.busy = self.most_busy = 0
        self.ended = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, kind: str) -> list[Received]:
        """What came of one type of event."""
        return [each for each in list(self.received) if each.body["type"] == kind]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who sent it may be gone."""


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens meanwhile."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        receiver.shutdown()
        receiver.server_close()
        thread.join()


def status(code: int, **headers: str) -> Answer:
    """An empty answer."""

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", "0")
        handler.end_headers()

    return answer


def silence(handler: Handler) -> None:
    """No answer, and the connection stays open."""
    handler.server.ended.wait(60)


def endless_body(handler: Handler) -> None:
    """200, and a body without end, quickly."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.ended.is_set():
        handler.wfile.write(b"x" * 8192)


def trickling_body(handler: Handler) -> None:
    """200, and a body without end, byte by byte."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.ended.wait(0.05):
        handler.wfile.write(b"x")


def trickling_head(handler: Handler) -> None:
    """A status line and headers without end, byte by byte."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
    while not handler.server.ended.wait(0.05):
        handler.wfile.write(b"x")


def endless_head(handler: Handler) -> None:
    """Says that the request goes on, quickly and without end."""
    while not handler.server.ended.is_set():
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n" * 100)


def nonsense(handler: Handler) -> None:
    """What is no HTTP."""
    handler.wfile.write(b"hello\x1b[2J\r\r\n\r\n")
