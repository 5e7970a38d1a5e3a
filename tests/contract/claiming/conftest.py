"""Queue modes whose manager has both halves: what every one promises to workers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from tests.contract.claiming.tasks import TYPES, MakeHarness
from tests.contract.harness import (
    RedisHarness,
    TypeLimits,
)
from tests.contract.on_split import SPLIT


@pytest.fixture(params=["random", "distributed", "distributed-random", SPLIT, "ordered"])
def queue_mode(request: pytest.FixtureRequest) -> str:
    """The name of a queue mode whose manager has both halves."""
    return cast("str", request.param)


@pytest.fixture
def make_harness(queue_mode: str, redis_url: str) -> Any:
    """Makes harnesses of one queue mode."""
    made: list[RedisHarness] = []

    def make(**limits: Any) -> RedisHarness:
        both = {name: replace(TypeLimits(), **limits) for name in TYPES}
        made.append(RedisHarness(redis_url, both, queue_mode))
        assert made[-1].manager.promises.claims
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def harness(make_harness: MakeHarness) -> RedisHarness:
    """A queue mode with the usual limits and the registered owners `a` and `b`."""
    harness = make_harness()
    harness.manager.renew({"a": TYPES, "b": TYPES}, lease_s=10)
    return harness
