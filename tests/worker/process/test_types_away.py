"""A worker process of two types, of which the Redis of one goes away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from task_manager.errors import UnavailableError
from task_manager.values import Claim
from tests.helpers import wait_until
from tests.worker.fake_manager import FakeManager
from tests.worker.one_process import Controlled, Process, manager, wait_for_results
from worker.process.reach import Reach

__all__ = ["manager"]


class Other(Controlled):
    """The type that stays."""

    name, endpoint = "other", "/other"


@pytest.fixture
def kind() -> Controlled:
    """The type that goes away."""
    return Controlled()


@pytest.fixture
def other() -> Other:
    """The type that stays."""
    return Other()


@pytest.fixture
def process(manager: FakeManager, kind: Controlled, other: Other) -> Iterator[Process]:
    """Serves both."""
    started = Process(manager, kind, other)
    yield started
    kind.gate.set()
    other.gate.set()
    manager.types_away = set()
    started.close()


def test_the_other_type_goes_on(
    manager: FakeManager, kind: Controlled, other: Other, process: Process
) -> None:
    """Results of the one that is away are kept, and stored when it is back."""
    kind.gate.clear()
    manager.add(kind.name, "a")
    wait_until(lambda: kind.batches, description="it runs")
    manager.types_away = {kind.name}
    kind.gate.set()
    for n in range(20):
        manager.add(other.name, f"b{n}")
        wait_for_results(manager, n + 1)
    assert "a" not in manager.results
    manager.types_away = set()
    wait_for_results(manager, 21)
    manager.add(kind.name, "later")
    wait_for_results(manager, 22)
    assert kind.batches == [["a"], ["later"]]


def test_what_may_be_held_of_it_is_given_back(
    manager: FakeManager, kind: Controlled, other: Other, process: Process
) -> None:
    """That of the other type is known, and stays, although a batch of it runs."""
    other.gate.clear()
    manager.add(other.name, "b")
    wait_until(lambda: other.batches, description="it runs")
    manager.types_away = {kind.name}
    manager.held["a"] = Claim("a", kind.name, b'{"key":"a"}', 1, alone=False)  # reply was lost
    process.claim_loop._reach.doubt([kind.name])
    manager.types_away = set()
    wait_until(lambda: "a" in manager.results or kind.batches, description="it is claimed again")
    assert all(types == {kind.name} for _, types in manager.recovered)
    other.gate.set()
    wait_for_results(manager, 2)
    assert other.batches == [["b"]]


def test_it_drains_when_all_is_stored(
    manager: FakeManager, kind: Controlled, process: Process
) -> None:
    """Not before, since nobody else has the result."""
    kind.gate.clear()
    manager.add(kind.name, "a")
    wait_until(lambda: kind.batches, description="it runs")
    manager.types_away = {kind.name}
    kind.gate.set()
    process.drain()
    wait_until(lambda: process.claim_loop._unstored, description="it has run")
    assert not process.over
    manager.types_away = set()
    wait_until(lambda: process.over, description="it ends")
    assert list(manager.results) == ["a"]


def test_where_all_types_are_away_the_process_waits() -> None:
    """As for a Redis that is away; which is tried as a whole then."""
    reach = Reach(["a", "b"])

    def fail() -> None:
        raise UnavailableError("away")

    assert reach.change(["a"], fail) == ([], {"a"})
    assert reach.claimable == ["b"]
    with pytest.raises(UnavailableError):
        reach.change(["b"], fail)
    assert not reach.is_away("a")
    assert reach.claimable == []
    assert {name for name, _ in reach.unclear()} == {"a", "b"}
    reach.clear(["a", "b"])
    assert reach.claimable == ["a", "b"]
