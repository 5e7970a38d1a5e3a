"""What one client keeps, or where it has webhooks sent, is at no other client's expense."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from werkzeug.test import TestResponse

from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.webhooks.sender import AT_ONCE
from task_manager.redis import kept
from tests.helpers import wait_until
from tests.http.conftest import SETTINGS
from tests.http.kept.conftest import KeepingSystem
from tests.http.servers import ServerProcess
from tests.http.webhooks import receiver as answers
from tests.http.webhooks.receiver import Receiver
from tests.stopwatch import Stopwatch


@contextlib.contextmanager
def hanging() -> Iterator[int]:
    """A port of all addresses of this machine, where whoever connects waits in vain."""
    with socket.create_server(("0.0.0.0", 0), backlog=1000) as listening:
        yield listening.getsockname()[1]


def submit(server: ServerProcess, client: str, inputs: Any, url: str) -> None:
    """Of `client`, as a proxy says."""
    headers = {"X-Forwarded-For": client, "Webhook-URL": url}
    reply = requests.post(f"{server.url}/factorize", json=inputs, headers=headers, timeout=60)
    assert reply.ok, reply.text


def test_a_client_leaves_room_for_others(
    registry: Registry, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all that may be kept it gets as many places as are left, and 429 beyond; who finds none
    gets 503. The task itself is submitted. Polls, and entries that are there, need no place."""
    monkeypatch.setattr(kept, "MOST_KEPT", 4)
    settings = dataclasses.replace(SETTINGS, redis_url=redis_url, queue_mode="distributed")
    app = create_app(settings, registry=registry)

    def keep(client: str, *numbers: int) -> TestResponse:
        return app.test_client().post(
            "/factorize",
            json=[{"number": number} for number in numbers],
            headers={"Prefer": "keep=60"},
            environ_overrides={"REMOTE_ADDR": client},
        )

    try:
        assert keep("2001:db8::1", 2, 3).status_code == 200
        refused = keep("2001:db8::2", 4)
        assert refused.status_code == 429
        assert refused.get_json()["type"] == "urn:doneyet:problem:client-keeps-too-many"
        assert "DONEYET" not in refused.get_json()["detail"]
        assert refused.headers["Retry-After"] == "2"
        assert app.test_client().get("/load/factorization").get_json()["waiting"] == 3
        assert keep("2001:db8::2", 2).status_code == 200
        assert keep("192.0.2.1", 5).status_code == 200
        assert keep("192.0.2.2", 6).status_code == 200
        assert keep("192.0.2.3", 7).get_json()["type"] == "urn:doneyet:problem:overloaded"
    finally:
        app.extensions["doneyet"].close()


def test_a_receiver_that_hangs_delays_no_other(keeping: KeepingSystem, receiver: Receiver) -> None:
    """Though a thousand webhooks are for it, of the same client: two of them are sent at once."""
    server = keeping.serve()
    with answers.receiving() as other:
        other.answers = [answers.silence] * 1000
        inputs = [{"number": 1000 + n} for n in range(1000)]
        submit(server, "192.0.2.1", inputs, other.url.replace("127.0.0.1", "localhost"))
        wait_until(lambda: len(other.received) == 2, description="two are sent")
        watch = Stopwatch()
        submit(server, "192.0.2.1", {"number": 69}, receiver.url)
        wait_until(lambda: receiver.received, description="the other is told")
        assert watch.within_s(3), watch
        assert other.most_busy == 2


def test_a_client_whose_receivers_hang_delays_no_other(
    keeping: KeepingSystem, receiver: Receiver
) -> None:
    """Though they have many names: another client's webhook comes at once."""
    server = keeping.serve("--trusted-proxies", "127.0.0.1")
    with hanging() as port:
        for host in range(2, AT_ONCE + 20):
            inputs = [{"number": 100 * host + n} for n in range(20)]
            submit(server, "192.0.2.1", inputs, f"http://127.0.0.{host}:{port}")
        watch = Stopwatch()
        submit(server, "192.0.2.2", {"number": 69}, receiver.url)
        wait_until(lambda: receiver.received, description="the other is told")
        assert watch.within_s(3), watch
