"""Every queue mode as a fixture; a test that names `harness` runs once for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from tests.contract import on_cluster, on_split
from tests.contract.harness import (
    ONE,
    OTHER,
    Harness,
    HarnessMaker,
    RedisHarness,
    TypeLimits,
    answer,
)
from tests.contract.quick import WHAT_IS_TRIED, left_out
from tests.helpers import CLUSTER, FAKE
from tests.rq.harness import RqHarness
from tests.synchronous.harness import SynchronousHarness

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves to a real server what `make quick` does not try, to one what a cluster cannot, and to
    types with one queue each what others do not promise."""
    here = on_cluster.left_out if CLUSTER else left_out if FAKE else None
    not_tried = [
        item
        for item in items
        if FOLDER in item.path.parents  # these are the items of all folders
        and (on_split.left_out(item) or (here is not None and here(item)))
    ]
    items[:] = [item for item in items if item not in not_tried]
    config.hook.pytest_deselected(items=not_tried)


def pytest_report_collectionfinish() -> list[str]:
    """Says what that is."""
    return WHAT_IS_TRIED if FAKE else []


QUEUE_MODES: dict[str, HarnessMaker] = {
    "random": partial(RedisHarness, queue_mode="random"),
    "distributed": partial(RedisHarness, queue_mode="distributed"),
    on_split.SPLIT: partial(RedisHarness, queue_mode=on_split.SPLIT),
    "ordered": partial(RedisHarness, queue_mode="ordered"),
    "rq": RqHarness,
    "synchronous": lambda _url, limits: SynchronousHarness(limits, answer),
}

WAITING_MODES = [name for name in QUEUE_MODES if name != "synchronous"]
"""Those in which a task may wait between two calls; see `test_who_answers_at_once`."""

MakeHarness = Callable[..., Harness]


@pytest.fixture(params=QUEUE_MODES)
def queue_mode(request: pytest.FixtureRequest) -> str:
    """The name of one queue mode."""
    return cast("str", request.param)


@pytest.fixture
def make_harness(queue_mode: str, redis_url: str) -> Iterator[MakeHarness]:
    """Makes harnesses of one queue mode on one server; keyword arguments change the limits."""
    made: list[Harness] = []

    def make(**limits: Any) -> Harness:
        both = {name: replace(TypeLimits(), **limits) for name in (ONE, OTHER)}
        made.append(QUEUE_MODES[queue_mode](redis_url, both))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def harness(make_harness: MakeHarness) -> Harness:
    """A queue mode with the usual limits."""
    return make_harness()
