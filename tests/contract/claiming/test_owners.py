"""Owners that live, die and come back: every claim is ended by somebody."""

from __future__ import annotations

import time

from task_manager.values import State
from tests.contract.claiming.tasks import TYPES, MakeHarness, running_ids, state
from tests.contract.harness import (
    ONE,
    OTHER,
    RedisHarness,
    task,
)
from tests.helpers import wait_until


def test_what_a_silent_owner_has_not_begun_is_given_back(harness: RedisHarness) -> None:
    """Not counted as an attempt; it goes on to hold what it runs, and can claim again."""
    harness.manager.submit([task(1), task(2, OTHER), task(3), task(4)])
    claims = harness.manager.claim("a", TYPES, limit=4) + harness.manager.claim("a", TYPES, limit=4)
    assert len(claims) == 4
    assert harness.manager.release_unbegun("b", TYPES, ()) == 0
    assert harness.manager.release_unbegun("a", TYPES, {task(3).id}) == 3
    assert harness.manager.release_unbegun("a", TYPES, {task(3).id}) == 0
    assert [state(harness, n) for n in (1, 3, 4)] == [
        State.WAITING,
        State.RUNNING,
        State.WAITING,
    ]
    again = harness.manager.claim("a", TYPES, 5) + harness.manager.claim("a", TYPES, 5)
    assert [claim.attempts for claim in again] == [1, 1, 1]
    assert not any(claim.alone for claim in again)


def test_released_claim_waits_again_uncounted(harness: RedisHarness) -> None:
    """A claim that was not begun is as if it had never been taken."""
    harness.manager.submit([task(7)])
    harness.manager.release("a", harness.manager.claim("a", TYPES, limit=1))
    assert state(harness, 7) is State.WAITING
    (claim,) = harness.manager.claim("b", TYPES, limit=1)
    assert (claim.attempts, claim.alone) == (1, False)


def test_release_of_anothers_claim_changes_nothing(harness: RedisHarness) -> None:
    """Only the holder can give a claim back."""
    harness.manager.submit([task(7)])
    claims = harness.manager.claim("a", TYPES, limit=1)
    harness.manager.release("b", claims)
    assert state(harness, 7) is State.RUNNING


def test_dead_owners_tasks_wait_again_alone(harness: RedisHarness) -> None:
    """What ran when the owner died comes back at once, alone and before others; the rest as new."""
    harness.manager.submit([task(n) for n in range(4)])
    assert len(harness.manager.claim("a", TYPES, limit=4)) == 4
    assert harness.manager.recover("a", TYPES, running=[task(1).id, task(2).id]) == 4
    harness.manager.submit([task(n) for n in range(10, 30)])
    first = harness.manager.claim("b", TYPES, limit=10)
    second = harness.manager.claim("b", TYPES, limit=10)
    assert {claim.id for claim in first + second} == {task(1).id, task(2).id}
    assert all(claim.alone and claim.attempts == 2 for claim in first + second)
    rest = harness.manager.claim("b", TYPES, limit=100)
    assert len(rest) == 22
    assert all(claim.attempts == 1 for claim in rest)


def test_recover_without_news_counts_all(harness: RedisHarness) -> None:
    """Nobody knows what a dead machine was running, so every claim of it counts."""
    harness.manager.submit([task(1), task(2)])
    harness.manager.claim("a", TYPES, limit=2)
    harness.manager.recover("a", TYPES)
    assert [len(harness.manager.claim("b", TYPES, limit=9)) for _ in range(3)] == [1, 1, 0]


def test_recover_can_be_repeated(harness: RedisHarness) -> None:
    """A second recovery, as by another supervisor, finds nothing to do."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    assert harness.manager.recover("a", TYPES) == 1
    assert harness.manager.recover("a", TYPES) == 0
    assert harness.manager.load([ONE])[0].waiting == 1


def test_crashed_task_fails_after_max_attempts(harness: RedisHarness) -> None:
    """Three owners died with it: it fails, and says so."""
    harness.manager.submit([task(7)])
    for owner in ("x", "y", "z"):
        harness.manager.renew({owner: TYPES}, lease_s=10)
        assert len(harness.manager.claim(owner, TYPES, limit=1)) == 1
        harness.manager.recover(owner, TYPES)
    status = harness.manager.status(ONE, task(7).id)
    assert status is not None
    assert (status.state, status.attempts) == (State.FAILED, 3)
    assert status.body is not None
    assert b'"crashed"' in status.body


def test_expired_task_of_a_dead_owner_is_dropped(make_harness: MakeHarness) -> None:
    """Nobody asked since, so it does not wait again."""
    harness = make_harness(input_ttl_s=1.0)
    harness.manager.renew({"a": TYPES, "b": TYPES}, lease_s=10)
    harness.manager.submit([task(7), task(8)])
    harness.manager.claim("a", TYPES, limit=2)
    asked_until = time.monotonic() + 2.5

    def asked_long_enough() -> bool:
        harness.manager.submit([task(8)])
        return time.monotonic() > asked_until

    wait_until(asked_long_enough, description="the interest in 7 is over")
    harness.manager.recover("a", TYPES)
    assert (state(harness, 7), state(harness, 8)) == (None, State.WAITING)


def test_supervisor_hears_of_a_cancelled_task_once(harness: RedisHarness) -> None:
    """The renewal tells the owner's supervisor, and nobody else, which task to stop."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.cancel(ONE, task(7).id)
    assert harness.manager.renew({"b": TYPES}, lease_s=10).cancelled == {}
    told = harness.manager.renew({"a": TYPES}, lease_s=10).cancelled
    assert told == {"a": frozenset([task(7).id])}
    assert harness.manager.renew({"a": TYPES}, lease_s=10).cancelled == {}


def test_owner_without_renewal_is_dead_after_its_lease(harness: RedisHarness) -> None:
    """Others are told of it, until somebody recovers it; itself it hears that it was lost."""
    harness.manager.renew({"a": TYPES}, lease_s=0.2)
    wait_until(
        lambda: "a" in harness.manager.renew({"b": TYPES}, lease_s=10).dead,
        description="b hears that a is dead",
    )
    assert harness.manager.load([ONE])[0].workers == 1
    harness.manager.recover("a", TYPES)
    assert harness.manager.renew({"b": TYPES}, lease_s=10).dead == {}


def test_lost_owner_is_told(make_harness: MakeHarness) -> None:
    """A supervisor that was paused past its lease, and recovered by another, is told so."""
    ours, others = make_harness(), make_harness()
    assert ours.manager.renew({"a": TYPES}, lease_s=10).lost == frozenset()
    others.manager.recover("a", TYPES)
    assert ours.manager.renew({"a": TYPES}, lease_s=10).lost == frozenset(["a"])
    assert ours.manager.renew({"a": TYPES}, lease_s=10).lost == frozenset()


def test_renewal_keeps_claims(harness: RedisHarness) -> None:
    """Renewed in time, an owner is never dead, however long its task runs."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    ends_at = time.monotonic() + 1.5

    def renewed_past_three_leases() -> bool:
        assert "a" not in harness.manager.renew({"b": TYPES}, lease_s=10).dead
        harness.manager.renew({"a": TYPES}, lease_s=0.5)
        return time.monotonic() > ends_at

    wait_until(renewed_past_three_leases, description="three leases are over")
    assert running_ids(harness, 7) == [task(7).id]


def test_one_owner_at_a_time_holds_a_lock(harness: RedisHarness) -> None:
    """One owner has the lock at a time; it may keep it, and it ends by itself."""
    manager = harness.manager
    assert manager.take_lock("gpu", "a", ttl_s=10)
    assert not manager.take_lock("gpu", "b", ttl_s=10)
    manager.release_lock("gpu", "b")
    assert not manager.take_lock("gpu", "b", ttl_s=10)
    assert manager.take_lock("gpu", "a", ttl_s=0.1)
    wait_until(
        lambda: manager.take_lock("gpu", "b", ttl_s=10), description="the lock of a has lapsed"
    )
    manager.release_lock("gpu", "b")
    assert manager.take_lock("gpu", "a", ttl_s=10)
