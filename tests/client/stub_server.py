"""An HTTP server whose every answer a test decides, faults included."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    port: int
    """Of the client's end of the connection."""


@dataclass(frozen=True)
class Says:
    """One answer; `body` is sent as JSON unless it is text."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


RESET = Says(status=0)
"""No answer: the connection is reset."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, stub: StubServer) -> None:
        self.stub = stub
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        cast("_Server", self.server).connections.add(self.connection)

    def finish(self) -> None:
        cast("_Server", self.server).connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at `StubServer.asked` instead."""

    def _serve(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(text) if text else None
        asked = Asked(self.command, self.path, dict(self.headers), body, self.client_address[1])
        says = cast("_Server", self.server).stub.answer(asked)
        if says is RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            self.connection.close()
            return
        payload = (says.body if isinstance(says.body, str) else json.dumps(says.body)).encode()
        self.send_response(says.status)
        for name, value in says.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


class StubServer:
    """Answers each request by what `decide` makes of it; remembers all of them in `asked`."""

    def __init__(self, decide: Callable[[Asked], Says]) -> None:
        self._decide = decide
        self.asked: list[Asked] = []
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, asked: Asked) -> Says:
        self.asked.append(asked)
        return self._decide(asked)

    def start(self) -> None:
        """Listens, on the same port as before if there was one."""
        self._server = _Server(self.port, self)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Stops listening and cuts every connection."""
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()


def in_turn(*answers: Says) -> Callable[[Asked], Says]:
    """Each of `answers` once, the last one for ever."""
    left = list(answers)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


def done(number: int, **more: Any) -> dict[str, Any]:
    """The answer object of a finished `/double` task: its output is twice its input."""
    fields = {"number": number, "double": 2 * number, "done": True, "load": 0}
    return fields | {"id": f"id-{number}", "status": "done", **more}


def pending(number: int, **more: Any) -> dict[str, Any]:
    """The answer object of a task that waits."""
    fields = {"number": number, "double": None, "done": False, "load": 1}
    return fields | {"id": f"id-{number}", "status": "waiting", **more}


def problem(status: int, detail: str, *errors: tuple[str, str]) -> dict[str, Any]:
    """A problem object; `errors` are (pointer, detail)."""
    fields = {"type": "about:blank", "title": "No", "status": status, "detail": detail}
    listed = [{"pointer": pointer, "detail": said} for pointer, said in errors]
    return fields | ({"errors": listed} if listed else {})
