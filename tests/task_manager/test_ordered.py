"""The ordered queue mode: what is claimed next, whatever happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from doneyet.settings import Settings
from task_manager import open_for_coordinator, open_task_manager
from task_manager.interface import TaskManager
from task_manager.redis.keys import Keys, version_marks
from task_manager.values import Asker
from tests.contract.harness import ONE, OTHER, TypeLimits, number, task

LIMITS = {name: TypeLimits(max_load=10_000) for name in (ONE, OTHER)}
OWNER = "o"


@pytest.fixture
def manager(redis_url: str) -> Iterator[TaskManager]:
    """A manager with one registered owner."""
    manager = open_task_manager(Settings(redis_url=redis_url, queue_mode="ordered"), LIMITS)
    manager.renew({OWNER: [ONE, OTHER]}, lease_s=60)
    yield manager
    manager.close()


def claimed(manager: TaskManager, limit: int, types: tuple[str, ...] = (ONE,)) -> list[int]:
    """What is claimed next."""
    return [number(claim) for claim in manager.claim(OWNER, types, limit)]


def test_an_array_keeps_its_order(manager: TaskManager) -> None:
    """Thousands in one submit and more behind them, claimed in parts."""
    numbers = [n * 7919 % 5000 for n in range(5000)]
    manager.submit([task(n) for n in numbers])
    manager.submit([task(n) for n in range(5000, 5100)])
    parts = [claimed(manager, 300) for _ in range(17)]
    assert [n for part in parts for n in part] == [*numbers, *range(5000, 5100)]


def test_each_type_has_an_order_of_its_own(manager: TaskManager) -> None:
    """A worker of both takes from them in turn, so neither waits for all of the other."""
    manager.submit([task(n, name) for n in range(10) for name in (ONE, OTHER)])
    claims = [claim for _ in range(4) for claim in manager.claim(OWNER, [ONE, OTHER], 2)]
    for name in (ONE, OTHER):
        assert [number(claim) for claim in claims if claim.type == name] == [0, 1, 2, 3]


def test_released_tasks_are_before_later_ones(manager: TaskManager) -> None:
    """They were not begun, so nothing overtakes them."""
    manager.submit([task(n) for n in range(5)])
    claims = manager.claim(OWNER, [ONE], 3)
    manager.submit([task(n) for n in range(5, 8)])
    manager.release(OWNER, claims[1:])
    assert claimed(manager, 9) == [1, 2, 3, 4, 5, 6, 7]


def test_an_unbegun_task_of_a_dead_owner_keeps_its_turn(manager: TaskManager) -> None:
    """A suspect is tried again first and alone."""
    manager.submit([task(n) for n in range(5)])
    manager.claim(OWNER, [ONE], 3)
    manager.recover(OWNER, [ONE, OTHER], running=[task(2).id])
    manager.renew({OWNER: [ONE]}, lease_s=60)
    assert [claimed(manager, 9) for _ in range(2)] == [[2], [0, 1, 3, 4]]


def test_asked_for_again_after_its_end_a_task_is_new(manager: TaskManager) -> None:
    """Cancelled, or discarded: whoever waits already is before it."""
    manager.submit([task(n) for n in range(3)])
    manager.cancel(ONE, task(0).id)
    manager.submit([task(0)])
    assert claimed(manager, 9) == [1, 2, 0]


def test_running_tasks_have_all_their_times(manager: TaskManager) -> None:
    """Their record has a field more than in the other queue modes; nobody is confused by it."""
    manager.submit([task(1)])
    claimed(manager, 1)
    status = manager.status(ONE, task(1).id)
    assert status is not None
    assert status.attempts == 1
    assert 0 <= (status.started_ms or 0) - (status.submitted_ms or 0) < 60_000
    cancelled = manager.cancel(ONE, task(1).id)
    assert cancelled is not None
    assert (cancelled.attempts, cancelled.started_ms) == (1, status.started_ms)


def test_nothing_is_left_in_line(manager: TaskManager, redis_url: str) -> None:
    """When all is done, nothing has a turn."""
    turns = Keys("doneyet", version_marks(LIMITS)).turns(ONE)
    with redis.Redis.from_url(redis_url) as client:
        manager.submit([task(n) for n in range(20)])
        assert client.zcard(turns) == 20
        manager.cancel(ONE, task(3).id)
        claimed(manager, 100)
        assert client.exists(turns) == 0


def test_jobs_are_in_order_too(manager: TaskManager, redis_url: str) -> None:
    """What supervisors coordinate waits in the same way, whoever submitted it."""
    settings = Settings(redis_url=redis_url, queue_mode="ordered")
    coordinator = open_for_coordinator(settings, {ONE: LIMITS[ONE]})
    coordinator.renew({"c": [ONE]}, lease_s=60)
    coordinator.submit([replace(task(n), asker=Asker("a")) for n in (5, 3)])
    coordinator.submit([replace(task(9), asker=Asker("b", priority=1))])
    assert [number(claim) for claim in coordinator.claim("c", [ONE], 9)] == [5, 3, 9]
    coordinator.close()
