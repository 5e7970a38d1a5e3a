"""The client has its tasks kept and told by a real server."""

from __future__ import annotations

import time

from doneyet.client import Client
from tests.helpers import wait_until
from tests.http.kept.conftest import KeepingSystem
from tests.http.webhooks.receiver import Receiver


def test_the_client_goes_away(keeping: KeepingSystem, receiver: Receiver) -> None:
    """What it had kept is done, and what it wanted to be told is, though it never asks again."""
    server = keeping.serve("--input-ttl-s", "1")
    with Client(server.url) as client:
        with keeping.work.paused():
            kept = client.ask("factorize", number=81, keep_s=60)
            client.ask("factorize", number=82, webhook_url=receiver.url)
            client.map(
                "factorize",
                [{"number": 83}, {"number": 84}],
                timeout_s=0.5,
                errors="return",
                webhook_url=receiver.url,
                webhook_events=["completed"],
            )
            time.sleep(3)
        wait_until(lambda: len(receiver.received) == 3, description="all are told")
        assert {each.body["data"]["number"] for each in receiver.received} == {82, 83, 84}
        wait_until(lambda: client.task(kept["id"])["done"], description="the other is done")
        answer = client.run("factorize", number=85, webhook_url=receiver.url)
        wait_until(lambda: len(receiver.received) == 4, description="this is told, too")
        assert receiver.received[3].body["data"]["id"] == answer["id"]
