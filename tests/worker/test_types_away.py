"""What a supervisor does for each type by itself, while the Redis of one is away."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from task_manager.errors import UnavailableError
from task_manager.values import Result, State
from tests.helpers import wait_until
from tests.worker.fake_manager import FakeManager
from worker.supervisor.leases import Leases
from worker.supervisor.recovery import Recoveries, Recovery

AWAY, THERE = "away", "there"
TYPES = [AWAY, THERE]


@pytest.fixture
def manager() -> FakeManager:
    """One type is away."""
    made = FakeManager()
    made.types_away = {AWAY}
    return made


@pytest.fixture
def recoveries(manager: FakeManager) -> Recoveries:
    """None is open."""
    return Recoveries(manager, TYPES)


@pytest.fixture
def leases(manager: FakeManager, recoveries: Recoveries) -> Leases:
    """Of a supervisor without processes."""
    return Leases(manager, TYPES, 10.0, recoveries, "redis://there")


def test_tasks_of_a_dead_process_go_back_type_by_type(
    manager: FakeManager, recoveries: Recoveries
) -> None:
    """What is there at once, and twice as always; the rest as soon as it can."""
    recoveries.add(Recovery("dead", None))
    recoveries.run_once()
    assert manager.recovered == [("dead", frozenset({THERE}))]
    assert recoveries.urgent
    assert recoveries.types_of("dead") == {*TYPES}
    wait_until(lambda: _made(recoveries) and len(manager.recovered) > 2, description="again")
    manager.types_away = set()
    wait_until(lambda: _made(recoveries) and not recoveries.types_of("dead"), description="all")
    assert ("dead", frozenset({AWAY})) in manager.recovered


def test_what_is_over_its_time_does_not_go_back_before_its_failure_is_stored(
    manager: FakeManager, recoveries: Recoveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would run again, for as long; what else the process held does not wait for that."""
    failed = Result("a", AWAY, State.FAILED, b"{}", 10)
    recoveries.add(Recovery("dead", frozenset(), (failed,)))
    with monkeypatch.context() as just_now:
        just_now.setattr(manager, "finish", _fail)
        manager.types_away = set()
        recoveries.run_once()
    assert manager.recovered == [("dead", frozenset({THERE}))]
    wait_until(lambda: _made(recoveries) and not recoveries.types_of("dead"), description="all")
    assert ("dead", frozenset({AWAY})) in manager.recovered
    assert "a" in manager.results


def test_redis_that_is_away_as_a_whole(manager: FakeManager, recoveries: Recoveries) -> None:
    """Is told to whoever waits for it."""
    manager.away = True
    recoveries.add(Recovery("dead", None, types=frozenset(TYPES)))
    with pytest.raises(UnavailableError):
        recoveries.run_once()


def test_an_owner_is_dead_where_its_lease_is_over(
    manager: FakeManager, recoveries: Recoveries, leases: Leases
) -> None:
    """Whom nobody could renew at a node that was away goes on elsewhere."""
    manager.types_away = set()
    manager.dead = {"other": frozenset({AWAY})}
    leases.run_once([], stand_in=True)
    assert recoveries.types_of("other") == {AWAY}
    recoveries.run_once()
    assert manager.recovered == [("other", frozenset({AWAY}))]


def test_it_is_told_once_which_types_are_away(
    manager: FakeManager, leases: Leases, caplog: pytest.LogCaptureFixture
) -> None:
    """And once that they are back."""

    def renew() -> Any:
        leases._next_s = 0.0
        return leases.run_once([], stand_in=True)

    with caplog.at_level(logging.WARNING):
        renew()
        renew()
        assert caplog.messages == ["a node is away (for away); trying again"]
        manager.types_away = set()
        renew()
    assert "redis://there is back" in caplog.messages[-1]


def _fail(*_: Any) -> None:
    raise UnavailableError("the node answers again a moment later")


def _made(recoveries: Recoveries) -> bool:
    recoveries.run_once()
    return True
