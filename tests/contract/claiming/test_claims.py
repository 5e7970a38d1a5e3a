"""Which tasks a claim takes, and when it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection

import pytest

from task_manager.values import Claim, State
from tests.contract.claiming.tasks import TYPES, MakeHarness, done, state
from tests.contract.harness import (
    ONE,
    OTHER,
    RedisHarness,
    number,
    only,
    task,
)
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch


def test_claimed_task_runs(harness: RedisHarness) -> None:
    """A claim carries the input, moves the task to running, and counts an attempt."""
    harness.manager.submit([task(7)])
    (claim,) = harness.manager.claim("a", TYPES, limit=5)
    assert (claim.id, claim.type, claim.input) == (task(7).id, ONE, task(7).input)
    assert (claim.attempts, claim.alone) == (1, False)
    status = harness.manager.status(ONE, task(7).id)
    assert status is not None
    assert (status.state, status.load, status.attempts) == (State.RUNNING, 1, 1)
    assert status.input == task(7).input
    load = harness.manager.load([ONE])[0]
    assert (load.waiting, load.running, load.workers) == (0, 1, 2)


def test_claim_takes_at_most_the_limit(harness: RedisHarness) -> None:
    """The rest goes on waiting, and nothing is claimed twice."""
    harness.manager.submit([task(n) for n in range(10)])
    first = harness.manager.claim("a", TYPES, limit=4)
    second = harness.manager.claim("b", TYPES, limit=100)
    assert len(first) == 4
    assert len({claim.id for claim in first + second}) == len(first + second) == 10


def test_claim_leaves_some_to_others(harness: RedisHarness) -> None:
    """A worker that looks ahead leaves tasks for idle ones."""
    harness.manager.submit([task(n) for n in range(5)])
    assert len(harness.manager.claim("a", TYPES, limit=10, leave=3)) == 2
    assert harness.manager.claim("a", TYPES, limit=10, leave=3) == []


def test_a_busy_type_does_not_starve_another(harness: RedisHarness) -> None:
    """A worker of two types gets to the small queue soon, whatever the order of its types."""
    harness.manager.submit([task(n) for n in range(200)])
    harness.manager.submit([task(n, OTHER) for n in range(30)])
    claimed = [claim for _ in range(60) for claim in harness.manager.claim("a", TYPES, limit=2)]
    assert sum(claim.type == OTHER for claim in claimed) >= 1


def test_who_claims_no_suspects_gets_the_others(harness: RedisHarness) -> None:
    """However many suspects wait, and although they come first to whoever takes them."""
    harness.manager.submit([task(n) for n in range(20)])
    died_with = {claim.id for claim in harness.manager.claim("a", TYPES, limit=20)}
    harness.manager.recover("a", TYPES, died_with)
    assert harness.manager.claim("b", TYPES, limit=50, suspects=False) == []
    harness.manager.submit([task(n) for n in (30, 31, 32)])
    fresh: set[int] = set()
    while len(fresh) < 3:
        claims = harness.manager.claim("b", TYPES, limit=2, suspects=False)
        assert len(claims) <= 2
        assert not {claim.id for claim in claims} & died_with
        fresh |= {number(claim) for claim in claims}
    assert harness.manager.finish("b", [done(30)], TYPES, 50, suspects=False) == []
    (suspect,) = harness.manager.claim("b", TYPES, limit=50)
    assert suspect.id in died_with
    assert suspect.alone


def test_suspects_do_not_wake_who_takes_none_again_and_again(harness: RedisHarness) -> None:
    """A worker process that claims no suspects sleeps while only those wait."""
    harness.manager.submit([task(1)])
    (claim,) = harness.manager.claim("a", TYPES, limit=1)
    harness.manager.recover("a", TYPES, {claim.id})
    began_s, calls = time.monotonic(), 0
    while time.monotonic() - began_s < 0.6:
        assert harness.manager.claim("b", TYPES, limit=1, wait_s=0.3, suspects=False) == []
        calls += 1
    assert calls <= 5


def test_claim_takes_only_its_types(harness: RedisHarness) -> None:
    """Tasks of other types go on waiting."""
    harness.manager.submit([task(1), task(2, OTHER)])
    harness.manager.renew({"c": [OTHER]}, lease_s=10)
    assert [claim.id for claim in harness.manager.claim("c", [OTHER], 10)] == [task(2, OTHER).id]
    assert state(harness, 1) is State.WAITING


def test_unregistered_owner_claims_nothing(harness: RedisHarness) -> None:
    """A claim that arrives after its owner was recovered must not take tasks to the grave."""
    harness.manager.submit([task(7)])
    assert harness.manager.claim("stranger", TYPES, limit=5) == []
    harness.manager.recover("a", TYPES)
    assert harness.manager.claim("a", TYPES, limit=5) == []
    assert state(harness, 7) is State.WAITING


PICKS_ARE_RANDOM = ["random", "distributed-random"]
where_picks_are_random = pytest.mark.parametrize("queue_mode", PICKS_ARE_RANDOM)
"""Elsewhere there is an order: tests/task_manager/test_ordered.py, test_fair.py."""


def test_whose_picks_are_random(harness: RedisHarness, queue_mode: str) -> None:
    """Every mode that is not tried for that promises an order."""
    promises = harness.manager.promises
    assert promises.in_turn == (queue_mode not in PICKS_ARE_RANDOM)


@where_picks_are_random
def test_picks_are_random(harness: RedisHarness) -> None:
    """Who arrives first is not served first: a late small client is not behind a big early one."""
    harness.manager.submit([task(n) for n in range(500)])
    harness.manager.submit([task(n) for n in range(1000, 1100)])
    picked = harness.manager.claim("a", TYPES, limit=300)
    late = sum(number(claim) >= 1000 for claim in picked)
    assert late > 15  # 50 expected of 300; in order of arrival there would be none


@where_picks_are_random
def test_picks_from_a_long_queue_are_spread(make_harness: MakeHarness) -> None:
    """A claim of a few hundred reaches all parts of a queue of thousands, and each task once."""
    harness = make_harness(max_load=10_000)
    harness.manager.renew({"a": TYPES}, lease_s=10)
    harness.manager.submit([task(n) for n in range(4000)])
    harness.manager.submit([task(n) for n in range(10_000, 10_400)])
    picked = harness.manager.claim("a", TYPES, limit=320)
    assert len({claim.id for claim in picked}) == 320
    assert 8 <= sum(number(claim) >= 10_000 for claim in picked) <= 80  # 29 expected


def test_idle_claim_wakes_at_once(harness: RedisHarness) -> None:
    """A blocked claim returns within milliseconds of a submit, not at the end of its wait."""
    claimed_at: list[float] = []

    def idle() -> None:
        if harness.manager.claim("a", TYPES, limit=1, wait_s=8):
            claimed_at.append(time.monotonic())

    before = connections(harness)
    thread = threading.Thread(target=idle)
    thread.start()
    # Blocked in Redis for sure once the first, empty claim is behind us.
    wait_until(lambda: is_blocked(harness, before), description="the claim blocks")
    submitted_at = time.monotonic()
    harness.manager.submit([task(7)])
    thread.join()
    assert claimed_at[0] - submitted_at < 0.25


def test_who_need_not_claim_any_more_does_not(harness: RedisHarness) -> None:
    """`unless` is asked once the wait is over; the task goes on waiting."""
    claims: list[Claim] = []

    def idle() -> None:
        claims.extend(harness.manager.claim("a", TYPES, limit=1, wait_s=8, unless=lambda: True))

    before = connections(harness)
    thread = threading.Thread(target=idle)
    thread.start()
    wait_until(lambda: is_blocked(harness, before), description="the claim blocks")
    harness.manager.submit([task(7)])
    thread.join()
    assert claims == []
    assert state(harness, 7) is State.WAITING


def test_idle_workers_wake_when_a_type_is_resumed(harness: RedisHarness) -> None:
    """At once, not when they look the next time; and whoever runs a task meanwhile goes on."""
    manager = harness.manager
    manager.submit([task(1)])
    (held,) = manager.claim("b", TYPES, limit=1)
    manager.pause(ONE, paused=True)
    manager.submit([task(n) for n in range(2, 5)])
    assert manager.claim("a", TYPES, limit=8, wait_s=0.1) == []
    assert manager.finish("b", [harness.result(held)], TYPES, limit=8) == []
    assert only(manager.submit([task(1)])).state is State.DONE
    manager.claim("a", TYPES, limit=8, wait_s=0.1)  # takes the tokens of before
    manager.pause(ONE, paused=False)
    assert len(manager.claim("a", TYPES, limit=8, wait_s=5)) == 3


def connections(harness: RedisHarness) -> dict[str, bool]:
    """Whether each connection to the server blocks; other tests' systems may have some, too."""
    connection = harness.manager._connection  # type: ignore[attr-defined]
    with connection.client() as client:
        return {each["id"]: "b" in each["flags"] for each in client.client_list()}


def is_blocked(harness: RedisHarness, before: Collection[str]) -> bool:
    """Whether a connection blocks that was not there before."""
    now = connections(harness)
    return any(blocks for each, blocks in now.items() if each not in before)


def test_expired_tasks_in_the_way(make_harness: MakeHarness) -> None:
    """Thousands of expired tasks do not keep a worker from the few that are kept alive."""
    harness = make_harness(input_ttl_s=1.0, max_load=10_000)
    harness.manager.renew({"a": TYPES}, lease_s=10)
    harness.manager.submit([task(n) for n in range(3000)])
    wait_until(lambda: harness.manager.load([ONE])[0].waiting == 0, description="all tasks expired")

    def claims_of_the_living() -> list[Claim]:
        harness.manager.submit([task(5000)])
        return harness.manager.claim("a", TYPES, limit=8, wait_s=0.5)

    watch = Stopwatch()
    claims = wait_until(claims_of_the_living, description="the task that is kept alive is claimed")
    assert watch.within_s(0.9), watch
    assert [claim.id for claim in claims] == [task(5000).id]
