"""What only the random queue mode does: waiting tasks are counted by the second of their end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.contract.harness import ONE, RedisHarness, TypeLimits, task

INPUT_DB = 1


@pytest.fixture
def harness(redis_url: str) -> Iterator[RedisHarness]:
    """The random queue mode."""
    made = RedisHarness(redis_url, {ONE: TypeLimits()}, "random")
    yield made
    made.close()


def test_a_task_is_unknown_once_it_is_not_counted(harness: RedisHarness, redis_url: str) -> None:
    """Submitted, submitted again and given back: an input ends before the second of its count.

    Redis keeps a key through the millisecond of its end, and the count is over with that one.
    """
    with redis.Redis.from_url(redis_url, single_connection_client=True) as inputs:
        inputs.execute_command("SELECT", INPUT_DB)

        def ends_ms() -> int:
            (key,) = inputs.keys()
            return int(inputs.execute_command("PEXPIRETIME", key)) % 1000

        harness.manager.submit([task(1)])
        assert ends_ms() == 999
        (key,) = inputs.keys()
        inputs.pexpire(key, 10_000)
        harness.manager.submit([task(1)])
        assert ends_ms() == 999
        harness.manager.renew({"worker": [ONE]}, lease_s=10)
        (claim,) = harness.manager.claim("worker", [ONE], 1)
        harness.manager.release("worker", [claim])
        assert ends_ms() == 999
