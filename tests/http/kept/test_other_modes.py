"""Webhooks in the queue modes that have a worker of another kind, or none."""

from __future__ import annotations

import requests

from doneyet.local.system import System
from tests.helpers import wait_until
from tests.http.servers import serving
from tests.http.webhooks.receiver import SECRET, Receiver


def test_rq_is_polled_like_all_others(receiver: Receiver) -> None:
    """A completion is told where RQ's workers do the work."""
    settings = {
        "DONEYET_TASKS": "factorization",
        "DONEYET_WEBHOOK_SECRETS": f"whsec_{SECRET}",
        "DONEYET_WEBHOOK_HTTP": "true",
        "DONEYET_WEBHOOK_PRIVATE": "true",
    }
    with System(queue_mode="rq", processes=1, settings=settings) as system:
        headers = {"Webhook-URL": receiver.url}
        number = {"number": 2**31 - 1}
        requests.post(f"{system.url}/factorize", json=number, headers=headers, timeout=10)
        wait_until(lambda: receiver.received, description="it is told", timeout_s=60)
    assert receiver.received[0].is_signed()
    assert receiver.received[0].body["data"]["status"] == "done"


def test_synchronous_keeps_nothing() -> None:
    """And says so; what asks for nothing is answered as ever."""
    with serving("--queue-mode", "synchronous", "--tasks", "factorization") as server:
        url = f"{server.url}/factorize"
        for name, value in (("Prefer", "keep=60"), ("Webhook-URL", "https://example.org")):
            reply = requests.post(url, json={"number": 6}, headers={name: value}, timeout=10)
            assert reply.status_code == 501
            assert reply.json()["type"] == "urn:doneyet:problem:cannot-keep"
            assert "the synchronous queue mode" in reply.json()["detail"]
        assert requests.post(url, json={"number": 6}, timeout=10).status_code == 200
