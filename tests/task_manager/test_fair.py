"""The fair pick: whose task is claimed next, whoever submitted how many before."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis

from doneyet.settings import Settings
from task_manager import open_task_manager
from task_manager.errors import ClientOverloadedError
from task_manager.interface import TaskManager
from task_manager.redis.keys import Keys, version_marks
from task_manager.values import Asker, Status, Task
from tests.contract.harness import ONE, TypeLimits, number, task
from tests.helpers import wait_until

LIMITS = {ONE: TypeLimits(max_load=100_000)}
KEYS = Keys("doneyet", version_marks(LIMITS))
OWNER = "o"


def manager_of(redis_url: str, pick: str = "fair", **limits: Any) -> TaskManager:
    """A manager with one registered owner."""
    settings = Settings(redis_url=redis_url, queue_mode="distributed", pick=pick)
    manager = open_task_manager(settings, {ONE: replace(LIMITS[ONE], **limits)})
    manager.renew({OWNER: [ONE]}, lease_s=60)
    return manager


@pytest.fixture
def manager(redis_url: str) -> Iterator[TaskManager]:
    """One that picks fairly."""
    manager = manager_of(redis_url)
    yield manager
    manager.close()


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    """What is in Redis."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


def of(client: str, *numbers: int, **more: int) -> list[Task]:
    """Tasks that `client` asks for."""
    asker = Asker(client, **more)
    return [replace(task(n), asker=asker) for n in numbers]


def claimed(manager: TaskManager, limit: int) -> list[int]:
    """What is claimed next."""
    return [number(claim) for claim in manager.claim(OWNER, [ONE], limit)]


def test_a_newcomer_is_next(manager: TaskManager) -> None:
    """Ten tasks behind 20,000 of another client take turns with the next ten of these."""
    for first in range(0, 20_000, 5000):
        manager.submit(of("busy", *range(first, first + 5000)))
    assert claimed(manager, 100) == list(range(100))
    manager.submit(of("new", *range(50_000, 50_010)))
    next_ones = claimed(manager, 30)
    assert [n for n in next_ones if n >= 50_000] == list(range(50_000, 50_010))
    for count in (4, 10, 20):
        assert abs(len([n for n in next_ones[:count] if n >= 50_000]) - count / 2) <= 1


def test_one_client_is_served_first_come_first_served(manager: TaskManager) -> None:
    """In the order of its submits, and of the tasks in each."""
    numbers = [n * 7919 % 1000 for n in range(1000)]
    manager.submit(of("a", *numbers[:600]))
    manager.submit(of("a", *numbers[600:]))
    assert [n for _ in range(10) for n in claimed(manager, 100)] == numbers


def test_shares_are_as_the_weights(manager: TaskManager) -> None:
    """Of ten clients with 1,000 tasks each; at any time, within a tenth."""
    weights = [1, 1, 1, 1, 2, 2, 2, 4, 4, 4]
    for place, weight in enumerate(weights):
        first = place * 1000
        manager.submit(of(f"client {place}", *range(first, first + 1000), weight=weight))
    shares: Counter[int] = Counter()
    while shares.total() < 4000:
        shares.update(n // 1000 for n in claimed(manager, 40))
        if shares.total() < 500:
            continue
        for place, weight in enumerate(weights):
            wanted = shares.total() * weight / sum(weights)
            assert shares[place] == pytest.approx(wanted, rel=0.1), shares


def test_priorities_hold_strictly(manager: TaskManager) -> None:
    """A task of a lower number is claimed before all others, whenever it comes."""
    for priority in (5, 3, 1, 4, 2):
        manager.submit(of("a", *range(priority * 10, priority * 10 + 3), priority=priority))
    assert claimed(manager, 4) == [10, 11, 12, 20]
    manager.submit(of("b", 13, priority=1))
    manager.submit(of("b", 33, priority=3))
    rest = claimed(manager, 20)
    assert rest[:3] == [13, 21, 22]
    assert set(rest[3:5]) == {30, 33}  # the first of both clients
    assert rest[5:] == [31, 32, 40, 41, 42, 50, 51, 52]


def test_each_priority_is_fair_for_itself(manager: TaskManager) -> None:
    """How far the usual line has come makes no newcomer to another line wait behind it."""
    manager.submit(of("busy", *range(1000)))
    manager.submit(of("busy", *range(1000, 1100), priority=5))
    assert len(claimed(manager, 1000)) == 1000
    manager.submit(of("new", 5000, priority=5))
    assert 5000 in claimed(manager, 2)


def test_a_shared_task_keeps_its_lowest_turn(manager: TaskManager) -> None:
    """Of those of its clients; and whoever asked for it later does not take it back."""
    manager.submit(of("busy", *range(100)))
    manager.submit(of("new", 90))
    assert set(claimed(manager, 2)) == {0, 90}
    manager.submit(of("third", 50))
    manager.submit(of("busy", 50))
    assert claimed(manager, 2) == [50, 1]


def test_asking_again_changes_no_turn(manager: TaskManager) -> None:
    """However often one client polls, and whatever was claimed meanwhile; nor does it cost one."""
    manager.submit(of("a", *range(20)))
    manager.submit(of("b", *range(100, 120)))
    order = []
    while part := claimed(manager, 4):
        order += part
        manager.submit(of("a", *[n for n in range(20) if n not in order]))
    assert [{*order[at : at + 2]} for at in range(0, 40, 2)] == [{n, 100 + n} for n in range(20)]
    manager.submit(of("b", *range(200, 210)))
    for _ in range(20):
        manager.submit(of("a", 300, 301))
    manager.submit(of("a", 302, 303))
    assert set(claimed(manager, 4)) == {200, 201, 300, 301}
    assert set(claimed(manager, 4)) == {202, 203, 302, 303}


def test_a_higher_priority_moves_a_waiting_task_on(manager: TaskManager) -> None:
    """Submitting it again with one is enough; a lower one changes nothing."""
    manager.submit(of("a", *range(10)))
    manager.submit(of("a", 7, priority=1))
    manager.submit(of("a", 0, priority=5))
    assert claimed(manager, 3) == [7, 0, 1]


def test_released_tasks_keep_their_turns(manager: TaskManager) -> None:
    """They were not begun, so nothing overtakes them."""
    manager.submit(of("a", *range(5)))
    manager.submit(of("b", *range(10, 15)))
    claims = manager.claim(OWNER, [ONE], 6)
    manager.release(OWNER, claims[2:])
    manager.submit(of("new", 20))
    assert {number(claim) for claim in claims[:2]} == {0, 10}
    assert set(claimed(manager, 2)) == {1, 11}
    assert {2, 12} < set(claimed(manager, 3))


def test_who_comes_back_is_not_last(manager: TaskManager, server: redis.Redis) -> None:
    """Also where Redis lost how far claims have come, so that turns have begun anew."""
    manager.submit(of("a", *range(500)))
    claims = manager.claim(OWNER, [ONE], 500)
    server.delete(KEYS.clients(ONE))
    manager.submit(of("b", *range(1000, 1050)))
    manager.release(OWNER, claims[-1:])
    assert 499 in claimed(manager, 3)


def test_all_that_come_back_have_their_turns(manager: TaskManager) -> None:
    """Also where nothing waited any more meanwhile."""
    manager.submit(of("a", *range(20)))
    claims = manager.claim(OWNER, [ONE], 20)
    manager.submit(of("a", 100))
    manager.submit(of("b", 200))
    manager.release(OWNER, list(reversed(claims)))
    assert claimed(manager, 20) == list(range(20))
    assert set(claimed(manager, 9)) == {100, 200}


def test_where_nothing_waits_all_clients_are_as_good_as_new(manager: TaskManager) -> None:
    """Whatever they cancelled."""
    manager.submit(of("a", *range(50)))
    assert claimed(manager, 1) == [0]
    for n in range(1, 50):
        manager.cancel(ONE, task(n).id)
    assert outcomes(manager, of("a", *range(100, 105), max_waiting=5)) == [True] * 5
    manager.submit(of("b", 200))
    assert 200 in claimed(manager, 2)


def test_nothing_stays_of_what_expired(redis_url: str, server: redis.Redis) -> None:
    """Neither turns nor clients; the tasks themselves go when somebody has counted them."""
    manager = manager_of(redis_url, input_ttl_s=0.2)
    for client in "abc":
        manager.submit(of(client, *range(10)))
    wait_until(
        lambda: not server.exists(KEYS.turns(ONE), KEYS.clients(ONE)), description="all has expired"
    )
    assert claimed(manager, 1) == []
    assert not server.exists(KEYS.waiting(ONE), KEYS.inputs(ONE))
    assert manager.tallies([ONE])[0].events["abandoned"] == 10
    manager.close()


def test_clients_that_are_gone_are_forgotten(redis_url: str, server: redis.Redis) -> None:
    """Their turns as soon as claims have come to where their next task would have stood; all
    else when the last of their tasks has expired, whether somebody claims or not."""
    manager = manager_of(redis_url, input_ttl_s=1.0)
    of_each = [task for n in range(200) for task in of(f"client {n}", n)]
    manager.submit([*of_each, *of("last", *range(1000, 1005))])  # at once, before one expires
    with_turns = "1e15", "inf"
    assert server.zcount(KEYS.clients(ONE), *with_turns) == 201
    claimed(manager, 202)
    assert server.zcount(KEYS.clients(ONE), *with_turns) <= 3

    def forgotten() -> bool:
        manager.submit(of("last", *range(1002, 1005)))
        return server.zcard(KEYS.clients(ONE)) <= 4

    wait_until(forgotten, description="those that are gone are forgotten")
    manager.close()


def test_clients_are_bounded_where_nobody_claims(redis_url: str, server: redis.Redis) -> None:
    """By those of whose tasks one may wait still, however many come and go."""
    manager = manager_of(redis_url, input_ttl_s=1.0)
    manager.submit(of("patient", 1))
    for n in range(1000):
        manager.submit([*of(f"client {n}", n + 10), *of("patient", 1)])
    wait_until(
        lambda: manager.submit(of("patient", 1)) and server.zcard(KEYS.clients(ONE)) <= 4,
        description="only one is left",
    )
    manager.close()


def test_a_random_pick_knows_no_clients(redis_url: str, server: redis.Redis) -> None:
    """And keeps nothing of them."""
    manager = manager_of(redis_url, pick="random")
    manager.submit(of("a", *range(100), priority=5))
    manager.submit(of("b", *range(100, 200), priority=1))
    assert min(claimed(manager, 60)) < 100
    assert not server.exists(KEYS.turns(ONE), KEYS.clients(ONE))
    manager.close()


def outcomes(manager: TaskManager, tasks: list[Task]) -> list[bool]:
    """Whether each was accepted."""
    return [isinstance(outcome, Status) for outcome in manager.submit(tasks)]


def test_a_client_has_no_more_waiting_tasks_than_it_may(manager: TaskManager) -> None:
    """Those above are refused; those that wait are told, and another client's are taken."""
    assert outcomes(manager, of("a", *range(5), max_waiting=3)) == [True] * 3 + [False] * 2
    (refusal,) = manager.submit(of("a", 9, max_waiting=3))
    assert isinstance(refusal, ClientOverloadedError)
    assert "3 waiting tasks" in str(refusal)
    assert "DONEYET_CLIENT_MAX_WAITING" in str(refusal)
    assert outcomes(manager, of("a", 1, 2, 3, max_waiting=3)) == [True, True, False]
    assert outcomes(manager, of("b", *range(10, 13), max_waiting=3)) == [True] * 3
    assert manager.load([ONE])[0].waiting == 6


def test_room_for_more_when_tasks_are_claimed(manager: TaskManager) -> None:
    """As many as were; whoever else waits makes no difference."""
    manager.submit(of("other", *range(1000, 1020)))
    manager.submit(of("a", *range(4), max_waiting=4))
    assert len([n for n in claimed(manager, 6) if n < 1000]) == 3
    assert outcomes(manager, of("a", *range(10, 15), max_waiting=4)) == [True] * 3 + [False] * 2
    claimed(manager, 100)
    assert outcomes(manager, of("a", *range(20, 25), max_waiting=4)) == [True] * 4 + [False]


def test_room_for_all_when_all_are_cancelled(manager: TaskManager) -> None:
    """Each client may have as many as before, and is next again."""
    manager.submit(of("a", *range(4), max_waiting=4))
    manager.cancel_waiting(ONE, 100)
    manager.submit(of("b", 50))
    assert outcomes(manager, of("a", *range(20, 25), max_waiting=4)) == [True] * 4 + [False]
    assert 20 in claimed(manager, 2)


def test_what_another_client_asked_for_may_be_asked_for_too(manager: TaskManager) -> None:
    """It waits already."""
    manager.submit(of("b", 7))
    manager.submit(of("a", *range(2), max_waiting=2))
    assert outcomes(manager, of("a", 7, 8, max_waiting=2)) == [True, False]


def test_whose_tasks_have_expired_is_as_good_as_new(redis_url: str) -> None:
    """It has its turns back, and may submit as many as before, while others' tasks wait on."""
    manager = manager_of(redis_url, input_ttl_s=1.0)
    manager.submit(of("a", *range(500), max_waiting=500))
    manager.submit(of("b", *range(1000, 1020)))
    assert len(claimed(manager, 2)) == 2

    def only_b() -> bool:
        manager.submit(of("b", *range(1001, 1020)))
        return manager.load([ONE])[0].waiting == 19

    wait_until(only_b, description="the tasks of the first have expired")
    assert outcomes(manager, of("a", *range(600, 800), max_waiting=200)) == [True] * 200
    assert {600, 1001} == set(claimed(manager, 2))
    manager.close()


def test_asking_again_keeps_a_client_known(redis_url: str) -> None:
    """Its tasks wait for as long as it asks, and count."""
    manager = manager_of(redis_url, input_ttl_s=1.0)
    began_s = time.monotonic()
    while time.monotonic() < began_s + 1.5:
        assert outcomes(manager, of("a", *range(4), max_waiting=3)) == [True] * 3 + [False]
        time.sleep(0.1)
    manager.close()
