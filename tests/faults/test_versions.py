"""A rolling update, and its rollback: an answer is always that of the version that was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from doneyet.local.system import System
from tests.faults.fault_tasks import VERSION
from tests.helpers import wait_until

StartVersion = Callable[[str], System]


ORDERS = [("random", "1", "2"), ("distributed", "2", "1"), ("ordered", "1", "2")]
"""Queue mode, version before and version after."""


@pytest.fixture
def prepare(mode: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartVersion]:
    """Starts the server of one version, on one Redis; its worker is started by the test."""
    started: list[System] = []

    def start(version: str) -> System:
        monkeypatch.setenv(VERSION, version)
        settings = {
            "DONEYET_TASKS": "tests.faults.fault_tasks",
            "DONEYET_LOG_LEVEL": "warning",
        }
        system = System(
            queue_mode=mode,
            redis_url=redis_url,
            processes=1,
            settings=settings,
            grace_s=2,
        )
        started.append(system)
        system.start_http_server()
        return system

    yield start
    for system in started:
        system.stop()


@pytest.mark.parametrize(("mode", "before", "after"), ORDERS)
def test_rolling_update(
    prepare: StartVersion, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    """The new server is there before the new worker: the old worker answers what the old server was
    asked, leaves the rest alone, and the new worker answers that. From 1 to 2, and back."""
    new = prepare(after)
    asked = [ask(new, n) for n in range(5)]
    old = prepare(before)
    monkeypatch.setenv(VERSION, before)
    old.start_worker()
    for n in range(5, 10):
        wait_until(lambda n=n: ask(old, n)["by"] == before, description="the old one answers")  # type: ignore[misc]
    for n in range(5):
        assert by_id(new, asked[n]["id"])["status"] == "waiting"
        wait_until(lambda n=n: ask(old, n, wait_s=5)["by"] == before, description="it answers on")  # type: ignore[misc]
        assert ask(new, n)["by"] is None, "it waits for a worker of its own version"
    monkeypatch.setenv(VERSION, after)
    new.start_worker()
    for n in range(5):
        wait_until(
            lambda n=n: ask(new, n, wait_s=5)["done"],  # type: ignore[misc]
            description="the new worker has started and answers",
            timeout_s=40,
        )
        answer = ask(new, n)
        assert (answer["by"], answer["id"]) == (after, asked[n]["id"])
        for server in (old, new):
            told = by_id(server, asked[n]["id"])
            assert (told["by"], told["attempts"]) == (after, 1)
        assert ask(old, n)["by"] == before


def ask(system: System, n: int, wait_s: int = 0) -> Any:
    """The answer so far, of a server."""
    headers = {"Prefer": f"wait={wait_s}"}
    reply = requests.post(f"{system.url}/versioned", json={"n": n}, headers=headers, timeout=30)
    assert reply.ok, reply.text
    return reply.json()


def by_id(system: System, task_id: str) -> Any:
    """What a server tells of an id."""
    reply = requests.get(f"{system.url}/tasks/{task_id}", timeout=30)
    assert reply.ok, reply.text
    return reply.json()
