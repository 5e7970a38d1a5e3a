"""A connection and a way to run one script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis

from task_manager.redis import scripts
from task_manager.redis.scripts import Argument, Call

RunScript = Callable[[str, Sequence[Argument], Sequence[Argument]], Any]


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of database 0."""
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture
def run(client: redis.Redis) -> RunScript:
    """Runs the named script on the real server."""

    def run_script(script: str, keys: Sequence[Argument], args: Sequence[Argument]) -> Any:
        return scripts.run(client, [Call(script, keys, args)])[0]

    return run_script


@pytest.fixture
def inputs(redis_url: str) -> Iterator[redis.Redis]:
    """A client of database 1, where the random queue mode's inputs wait."""
    with redis.Redis.from_url(redis_url, single_connection_client=True) as client:
        client.select(1)
        yield client
