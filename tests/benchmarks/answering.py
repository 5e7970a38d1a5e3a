"""A server in a thread, whose answers a test makes up."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(ABC, BaseHTTPRequestHandler):
    """Keeps connections, and writes no log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @abstractmethod
    def reply(self, asked: bytes) -> None:
        """What a test makes of the body of a request: it ends in `answer`."""

    def do_POST(self) -> None:
        self.reply(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body: bytes, status: int = 200) -> None:
        """Sends the response."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not shown."""


class _Server(ThreadingHTTPServer):
    """Clients of ours hang up in the middle of an answer, when their time is over."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Not shown."""


@contextmanager
def answering(handler: type[Handler]) -> Iterator[int]:
    """The port where `handler` answers."""
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
