"""A thousand held requests on real connections, and what they may not do to others."""

from __future__ import annotations

import selectors
import socket
import statistics
import time
from functools import partial

import requests

from tests.helpers import wait_until
from tests.http.conftest import System

HELD, AT_ONCE = 1000, 100
REQUEST = (
    b"POST /factorize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Prefer: wait=25\r\nContent-Length: %d\r\n\r\n%b"
)


def test_a_thousand_waiting_requests(system: System) -> None:
    """While they wait, health routes and polls are answered quickly; then all are answered."""
    with system.work.paused():
        held = hold_all(system)
        slowest = [
            max(timed_get(f"{system.url}{path}") for _ in range(20))
            for path in ("/healthz", "/readyz", "/load")
        ]
        polls = [timed_poll(system, 10**6 + number) for number in range(50)]
    assert max(slowest) < 1, slowest
    assert statistics.median(polls) < 0.1, polls
    assert read_all(held, timeout_s=20) == [200] * HELD


def hold_all(system: System) -> list[socket.socket]:
    """Connections on which questions are held, made as quickly as the server takes them."""
    held: list[socket.socket] = []
    while len(held) < HELD:
        held += [hold(system, 10**6 + len(held) + number) for number in range(AT_ONCE)]
        wait_until(partial(wait, system, len(held)), description="all questions wait")
    return held


def hold(system: System, number: int) -> socket.socket:
    """A connection on which a question is held."""
    connection = socket.create_connection(("127.0.0.1", system.server.port), timeout=10)
    body = b'{"number": %d}' % number
    connection.sendall(REQUEST % (len(body), body))
    return connection


def wait(system: System, count: int) -> bool:
    """Whether so many questions wait."""
    told = requests.get(f"{system.url}/load/factorization", timeout=5).json()
    return int(told["waiting"]) == count


def timed_get(url: str) -> float:
    """Seconds that a GET on a connection of its own takes."""
    began = time.monotonic()
    assert requests.get(url, timeout=5).ok
    return time.monotonic() - began


def timed_poll(system: System, number: int) -> float:
    """Seconds that a poll takes."""
    began = time.monotonic()
    response = requests.post(f"{system.url}/factorize", json={"number": number}, timeout=5)
    assert response.status_code == 202
    return time.monotonic() - began


def read_all(connections: list[socket.socket], timeout_s: float) -> list[int]:
    """The status of the response on each connection."""
    give_up_at = time.monotonic() + timeout_s
    statuses: dict[socket.socket, int] = {}
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        while len(statuses) < len(connections) and time.monotonic() < give_up_at:
            for key, _ in selector.select(timeout=0.5):
                assert isinstance(key.fileobj, socket.socket)
                reply = key.fileobj.recv(65536)
                statuses[key.fileobj] = int(reply.split(b" ", 2)[1]) if reply else 0
                selector.unregister(key.fileobj)
                key.fileobj.close()
    return list(statuses.values())
