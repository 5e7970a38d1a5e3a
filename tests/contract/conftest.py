"""Every discipline as a fixture; a test that names `harness` runs once for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast

import pytest

from tests.contract.harness import (
    ONE,
    OTHER,
    Harness,
    HarnessMaker,
    RedisHarness,
    TypeLimits,
    answer,
)
from tests.rq.harness import RqHarness
from tests.synchronous.harness import SynchronousHarness

DISCIPLINES: dict[str, HarnessMaker] = {
    "random": partial(RedisHarness, discipline="random"),
    "distributed": partial(RedisHarness, discipline="distributed"),
    "ordered": partial(RedisHarness, discipline="ordered"),
    "rq": RqHarness,
    "synchronous": lambda _url, limits: SynchronousHarness(limits, answer),
}

MakeHarness = Callable[..., Harness]


@pytest.fixture(params=DISCIPLINES)
def discipline(request: pytest.FixtureRequest) -> str:
    """The name of one discipline."""
    return cast("str", request.param)


@pytest.fixture
def make_harness(discipline: str, redis_url: str) -> Iterator[MakeHarness]:
    """Makes harnesses of one discipline on one server; keyword arguments change the limits."""
    made: list[Harness] = []

    def make(**limits: Any) -> Harness:
        both = {name: replace(TypeLimits(), **limits) for name in (ONE, OTHER)}
        made.append(DISCIPLINES[discipline](redis_url, both))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def harness(make_harness: MakeHarness) -> Harness:
    """A discipline with the usual limits."""
    return make_harness()
