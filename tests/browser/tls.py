"""TLS before a server, which sees plain HTTP and is told nothing: the least that a proxy does."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.proxy.nginx import make_certificate


class _Front(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        self.context, self.port = context, port
        super().__init__(("127.0.0.1", 0), _Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that does not know who made the certificate tries several times."""


class _Connection(socketserver.BaseRequestHandler):
    server: _Front

    def handle(self) -> None:
        """Carries bytes to the server and back, until either ends."""
        outside = self.server.context.wrap_socket(self.request, server_side=True)
        with outside, socket.create_connection(("127.0.0.1", self.server.port)) as inside:
            back = threading.Thread(target=_carry, args=(inside, outside), daemon=True)
            back.start()
            _carry(outside, inside)
            back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while some := source.recv(1 << 16):
            target.sendall(some)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def tls_before(port: int, folder: Path) -> Iterator[str]:
    """The URL of what listens at `port`, for browsers that pass over an unknown certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(folder), folder / "models.key")
    with _Front(context, port) as front:
        threading.Thread(target=front.serve_forever, args=(0.05,), daemon=True).start()
        yield f"https://127.0.0.1:{front.server_address[1]}"
        front.shutdown()
