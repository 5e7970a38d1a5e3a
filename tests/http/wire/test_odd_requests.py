"""Requests that HTTP allows and few send: each is answered with a problem object, or as usual."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.servers import ServerProcess, serving

HEAD = b"Host: 127.0.0.1\r\nConnection: close\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
UPGRADE = (
    b"Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server without Redis."""
    with serving("--synchronous", "--tasks", "factorization") as started:
        yield started


def answer(server: ServerProcess, request: bytes) -> tuple[int, dict[str, Any]]:
    """Status and JSON body of the reply to `request`."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as reply:
            status = int(reply.readline().split()[1])
            length = 0
            while (line := reply.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode().partition(":")
                length = int(value) if name.lower() == "content-length" else length
            return status, json.loads(reply.read(length))


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        (b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"\r\n", 404, "no such path"),
        (b"GET /load HTTP/1.1\r\n" + UPGRADE, 400, "neither are WebSockets"),
        (b"POST /factorize HTTP/1.1\r\n" + CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", 400, "chunks"),
        (b"FOO /load HTTP/1.1\r\n" + HEAD + b"\r\n", 405, "the header Allow"),
    ],
    ids=["OPTIONS *", "WebSocket", "broken chunks", "another method"],
)
def test_problems(server: ServerProcess, request_: bytes, status: int, said: str) -> None:
    """In our words."""
    found, body = answer(server, request_)
    assert (found, body["status"]) == (status, status)
    assert said in body["detail"]


def test_methods_in_small_letters(server: ServerProcess) -> None:
    """Are read as the usual ones."""
    request = b"post /factorize?number=6 HTTP/1.1\r\n" + HEAD + b"Content-Length: 0\r\n\r\n"
    status, body = answer(server, request)
    assert (status, body["factorization_str"]) == (200, "2^1 3^1")
