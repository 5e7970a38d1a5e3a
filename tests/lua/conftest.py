"""A connection and a way to run one script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
import redis

from task_manager.redis.scripts.lua_script import Given, script
from task_manager.redis.scripts.run import run_scripts

TTL_MS, KEEP_MS = 5000, 60_000

COUNTED_WITHIN_MS = 5_000
"""Keys of waiting tasks outlive these by so much."""


def common_slots(owner: str, ids: tuple[str, ...]) -> dict[str, Given]:
    """What scripts of all queue modes are told; keys have the names of their slots."""
    names = ("running", "owners", "cancelled", "progress", "tally", "paused", "retry", "wake")
    return {
        **{name: name for name in names},
        **{f"ended_{state}": f"ended:{state}" for state in ("done", "failed", "cancelled")},
        "result_prefix": "result:",
        "owner": owner,
        "claims": f"claims:{owner}",
        "claims_prefix": "claims:",
        "channel": "finished",
        "failure": '{"error":{}}',
        "failure_ttl_ms": TTL_MS,
        "keep_ms": KEEP_MS,
        "ids": list(ids),
        "results": [f"result:{i}" for i in ids],
    }


class RunScript(Protocol):
    """Runs a script by its path, with slots by their names."""

    def __call__(self, path: str, **slots: Given) -> Any: ...


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of database 0."""
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture
def run(client: redis.Redis) -> RunScript:
    """Runs the named script on the real server."""

    def run_script(path: str, **slots: Given) -> Any:
        called = script(*path.split("/"))
        needed = {name: value for name, value in slots.items() if name in called.slots}
        return run_scripts(client, [called.call(**needed)])[0]

    return run_script


@pytest.fixture
def inputs(redis_url: str) -> Iterator[redis.Redis]:
    """A client of database 1, where the random queue mode's inputs wait."""
    with redis.Redis.from_url(redis_url, single_connection_client=True) as client:
        client.select(1)
        yield client
