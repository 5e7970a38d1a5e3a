"""Clients that send or read slowly, or not at all, keep nobody else from being answered."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from http_server.serving import sockets
from tests.http.servers import ServerProcess, serving
from tests.stopwatch import Stopwatch

Connect = Callable[[bytes], socket.socket]

pytestmark = pytest.mark.timeout(240)  # seconds when alone, minutes beside others

STALLED = 2112
HEAD = b"POST /factorize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
BODY_TIMEOUT_S = 3


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server that needs no Redis and has little patience."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 8192:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    with serving("--synchronous", "--body-timeout-s", str(BODY_TIMEOUT_S)) as server:
        yield server


@pytest.fixture
def connect(server: ServerProcess) -> Iterator[Connect]:
    """Opens connections on which something was sent."""
    with contextlib.ExitStack() as opened:

        def connect(sent: bytes) -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            opened.enter_context(connection)
            connection.sendall(sent)
            return connection

        yield connect


def reply(connection: socket.socket) -> bytes:
    """All that the server says until it closes or cuts the connection."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            said += piece
    return said


def assert_answered_within_s(server: ServerProcess, quiet_s: float) -> None:
    """Some requests of all kinds are, the slowest of them too."""
    watch = Stopwatch()
    took_s = []
    for _ in range(5):
        began_s = time.monotonic()
        assert requests.get(f"{server.url}/healthz", timeout=60).ok
        asked = requests.post(f"{server.url}/factorize", json={"number": 6}, timeout=60)
        assert asked.json()["factorization_str"] == "2^1 3^1"
        took_s.append(time.monotonic() - began_s)
    assert watch.within_s(quiet_s, max(took_s)), watch


def test_stalled_bodies_stop_nobody(server: ServerProcess, connect: Connect) -> None:
    """As many bodies as there are threads are begun and sent a byte now and then: health routes and
    new inputs are answered meanwhile, and each of those connections is cut."""
    stalled = [connect(HEAD + b"Content-Length: 20\r\n\r\n{") for _ in range(STALLED)]
    assert_answered_within_s(server, 8)
    for connection in stalled[-200::2]:
        connection.sendall(b" ")
    assert_answered_within_s(server, 8)
    assert all(reply(one)[:12] in (b"", b"HTTP/1.1 408", b"HTTP/1.1 503") for one in stalled)
    assert_answered_within_s(server, 2)


def test_a_body_that_stalls_is_a_408(server: ServerProcess, connect: Connect) -> None:
    """It names the setting, and the connection is closed; with a length or in chunks."""
    for framing in (
        b"Content-Length: 20\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ):
        began_s = time.monotonic()
        said = reply(connect(HEAD + framing))
        assert time.monotonic() - began_s >= BODY_TIMEOUT_S * 0.9
        assert said.startswith(b"HTTP/1.1 408 "), said
        assert b"application/problem+json" in said
        assert b"DONEYET_BODY_TIMEOUT_S" in said


def test_a_large_body_may_take_its_time(server: ServerProcess, connect: Connect) -> None:
    """What keeps coming is read, though it takes longer than the timeout in all."""
    text = b'{"number": 6' + b" " * 400_000 + b"}"
    connection = connect(HEAD + b"Content-Length: %d\r\n\r\n" % len(text))
    began_s = time.monotonic()
    for at in range(0, len(text), 60_000):
        connection.sendall(text[at : at + 60_000])
        time.sleep(0.6)
    assert time.monotonic() - began_s > BODY_TIMEOUT_S
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_half_a_body_is_a_400(server: ServerProcess, connect: Connect) -> None:
    """Who stops halfway is told so, where the way back is still open."""
    connection = connect(HEAD + b"Content-Length: 20\r\n\r\n{")
    connection.shutdown(socket.SHUT_WR)
    assert reply(connection)[:12] in (b"HTTP/1.1 400", b"")


def test_heads_that_do_not_come_stop_nobody(server: ServerProcess, connect: Connect) -> None:
    """Connections that send nothing, or half a head, take no thread."""
    for _ in range(300):
        connect(b"")
        connect(b"POST /factorize HTTP/1.1\r\nHost: x\r\nX-")
    assert_answered_within_s(server, 3)


def test_who_says_nothing_is_sent_off(
    server: ServerProcess, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the connections to a port those that never sent a byte are ended, and no others."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with contextlib.ExitStack() as opened:
            ends = []
            for sent in (b"", b"x"):
                client = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
                served = opened.enter_context(listening.accept()[0])
                client.sendall(sent)
                ends.append((client, served))
            monkeypatch.setattr(sockets, "SILENT_S", 0.05)
            time.sleep(0.2)
            sockets.close_silent(port)
            (silent, _), (other, served) = ends
            silent.settimeout(5)
            assert silent.recv(1) == b""
            served.sendall(b"y")
            other.settimeout(5)
            assert other.recv(1) == b"y"


def test_threads_come_back(server: ServerProcess, connect: Connect) -> None:
    """A body that was ended, or whose client went, leaves no thread behind that waits for it."""
    for _ in range(2):
        stalled = [connect(HEAD + b"Content-Length: 20\r\n\r\n{") for _ in range(1500)]
        assert_answered_within_s(server, 8)
        for connection in stalled[::2]:
            connection.close()
        assert all(
            reply(one)[:12] in (b"", b"HTTP/1.1 408", b"HTTP/1.1 503") for one in stalled[1::2]
        )
