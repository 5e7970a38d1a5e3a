"""Servers that keep tasks, in random and distributed, a worker, and a receiver of webhooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from doneyet.settings import Settings
from tests.http.conftest import TASKS
from tests.http.servers import ServerProcess, WorkLoop
from tests.http.webhooks.receiver import SECRET, Receiver, receiving

OTHER_SECRET = SECRET[::-1]


class KeepingSystem:
    """Server processes of one deployment that may be killed, and a worker that may pause."""

    def __init__(self, redis_url: str, queue_mode: str) -> None:
        self.redis_url = redis_url
        self.settings = Settings(
            redis_url=redis_url, key_prefix="kept-tests", tasks=TASKS, queue_mode=queue_mode
        )
        self.servers: list[ServerProcess] = []
        self.work = WorkLoop(self.settings)

    def serve(self, *flags: str) -> ServerProcess:
        """One more server, whose webhooks may go to this machine."""
        given = {
            "key-prefix": "kept-tests",
            "tasks": TASKS,
            "queue-mode": self.settings.queue_mode,
            "webhook-secrets": f"whsec_{SECRET},whsec_{OTHER_SECRET}",
            "webhook-http": "true",
            "webhook-private": "true",
        }
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        server = ServerProcess(*words, *flags, redis_url=self.redis_url)
        self.servers.append(server)
        return server

    def close(self) -> None:
        """Ends all."""
        for server in self.servers:
            if server.process.poll() is None:
                server.stop()
        self.work.close()


@pytest.fixture(params=["random", "distributed"])
def keeping(request: pytest.FixtureRequest, redis_url: str) -> Iterator[KeepingSystem]:
    """A system without a server yet, in a queue mode."""
    system = KeepingSystem(redis_url, request.param)
    yield system
    system.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on this machine."""
    with receiving() as receiver:
        yield receiver


Submit = Callable[..., requests.Response]


@pytest.fixture
def submit() -> Submit:
    """Posts an input or an array, with headers by their names."""

    def submit(server: ServerProcess, path: str, value: Any, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return requests.post(f"{server.url}{path}", json=value, headers=named, timeout=30)

    return submit
