"""What every queue mode with promises.claims promises to workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from task_manager.interface import Result, State, Status
from task_manager.redis import scripts
from tests.contract.harness import (
    ONE,
    OTHER,
    RedisHarness,
    TypeLimits,
    answer,
    number,
    only,
    task,
)
from tests.helpers import wait_until

MakeHarness = Callable[..., RedisHarness]
TYPES = [ONE, OTHER]


@pytest.fixture(params=["random", "distributed", "ordered"])
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


def running_ids(harness: RedisHarness, *numbers: int) -> list[str]:
    """The ids of those tasks that are running."""
    return [n_id for n in numbers if state(harness, n) is State.RUNNING for n_id in [task(n).id]]


def state(harness: RedisHarness, n: int) -> State | None:
    """How the task for `n` is."""
    status = harness.manager.status(ONE, task(n).id)
    return status.state if status else None


def done(n: int) -> Result:
    """A good result for `n`."""
    return Result(task(n).id, ONE, State.DONE, answer(n), 60)


def failed(n: int) -> Result:
    """A failure for `n`."""
    return Result(task(n).id, ONE, State.FAILED, b'{"error": {}}', 60)


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


where_picks_are_random = pytest.mark.parametrize("queue_mode", ["random", "distributed"])
"""In ordered, who comes first is served first (tests/task_manager/test_ordered.py)."""


def test_whose_picks_are_random(harness: RedisHarness, queue_mode: str) -> None:
    """Every mode that is not tried for that promises an order."""
    assert harness.manager.promises.ordered == (queue_mode == "ordered")


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

    thread = threading.Thread(target=idle)
    thread.start()
    # Blocked in Redis for sure once the first, empty claim is behind us.
    wait_until(lambda: blocked_clients(harness) == 1, description="the claim blocks")
    submitted_at = time.monotonic()
    harness.manager.submit([task(7)])
    thread.join()
    assert claimed_at[0] - submitted_at < 0.25


def blocked_clients(harness: RedisHarness) -> int:
    """How many connections block in the server."""
    connection = harness.manager._connection  # type: ignore[attr-defined]
    with connection.client() as client:
        return int(client.info("clients")["blocked_clients"])


def test_finish_and_claim_are_one_round_trip(
    harness: RedisHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results of two types are stored and the next tasks claimed in one round trip."""
    harness.manager.submit([task(1), task(2, OTHER), task(3)])
    claims = harness.manager.claim("a", TYPES, limit=2)
    harness.manager.submit([task(n) for n in range(10, 20)])
    trips: list[int] = []
    real = scripts.run

    def counted(client: Any, calls: Any) -> Any:
        trips.append(len(calls))
        return real(client, calls)

    monkeypatch.setattr(scripts, "run", counted)
    following = harness.manager.finish("a", [harness.result(c) for c in claims], TYPES, limit=5)
    assert len(trips) == 1
    assert len(following) == 5


def test_finish_of_nothing(harness: RedisHarness) -> None:
    """No results and no limit: nothing happens."""
    assert harness.manager.finish("a", []) == []


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


def test_deadly_task_fails_after_max_attempts(harness: RedisHarness) -> None:
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


def test_unwanted_task_of_a_dead_owner_is_dropped(make_harness: MakeHarness) -> None:
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


def test_first_result_wins(harness: RedisHarness) -> None:
    """Of two finishers, the later one changes nothing."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.recover("a", TYPES)
    harness.manager.claim("b", TYPES, limit=1)
    harness.manager.finish("b", [done(7)])
    harness.manager.finish("a", [done(7)._replace(body=b'{"answer": "late"}')])
    assert only(harness.manager.submit([task(7)])).body == answer(7)


def test_late_result_is_kept_if_none_exists(harness: RedisHarness) -> None:
    """The owner lost its claim, but its answer is as good as any: the task stops waiting."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.recover("a", TYPES)
    harness.manager.finish("a", [done(7)])
    status = only(harness.manager.submit([task(7)]))
    assert (status.state, status.load) == (State.DONE, 0)
    assert harness.manager.claim("b", TYPES, limit=1) == []


def test_late_result_while_another_runs_it(harness: RedisHarness) -> None:
    """The late result answers and ends the other owner's claim; its finish changes nothing."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.recover("a", TYPES)
    harness.manager.claim("b", TYPES, limit=1)
    harness.manager.finish("a", [done(7)])
    assert only(harness.manager.submit([task(7)])).state is State.DONE
    assert harness.manager.load([ONE])[0].running == 0
    harness.manager.finish("b", [done(7)])
    assert harness.manager.load([ONE])[0].running == 0


def test_late_failure_is_not_kept(harness: RedisHarness) -> None:
    """A failure may be the fault of the owner that lost the claim."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.recover("a", TYPES)
    harness.manager.finish("a", [failed(7)])
    assert state(harness, 7) is State.WAITING


def test_result_of_a_cancelled_task_is_dropped(harness: RedisHarness) -> None:
    """It is cancelled for all who asked; an answer that comes after all is not used."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    cancelled = harness.manager.cancel(ONE, task(7).id)
    assert cancelled is not None
    assert cancelled.load == 0
    harness.manager.finish("a", [done(7)])
    assert state(harness, 7) is State.CANCELLED


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
    assert harness.manager.renew({"b": TYPES}, lease_s=10).dead == frozenset()


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


def test_progress_shows_in_the_status(harness: RedisHarness) -> None:
    """How far a running task is shows to all who ask, and ends with it."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.progress("a", {task(7).id: (ONE, 0.25, "page 1 of 4")})
    assert only(harness.manager.submit([task(7)])).progress == (0.25, "page 1 of 4")
    harness.manager.progress("b", {task(7).id: (ONE, 0.9, "not mine")})
    status = harness.manager.status(ONE, task(7).id)
    assert status is not None
    assert status.progress == (0.25, "page 1 of 4")
    harness.manager.finish("a", [done(7)])
    assert only(harness.manager.submit([task(7)])).progress is None


def test_running_task_stays_wanted_by_asking(harness: RedisHarness) -> None:
    """Submitting a running task makes no second one."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    status = only(harness.manager.submit([task(7)]))
    assert (status.state, status.load) == (State.RUNNING, 1)
    assert harness.manager.claim("b", TYPES, limit=1) == []


def test_late_answer_after_everything_was_lost(harness: RedisHarness) -> None:
    """Redis lost all while the task ran: its result is kept, whoever asks gets it."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    with harness.manager._connection.client() as client:  # type: ignore[attr-defined]
        client.flushall()
        client.script_flush()
    harness.manager.submit([task(7)])
    harness.manager.finish("a", [done(7)])
    status = only(harness.manager.submit([task(7)]))
    assert (status.state, status.load) == (State.DONE, 0)


def test_turns(harness: RedisHarness) -> None:
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


def test_expired_tasks_in_the_way(make_harness: MakeHarness) -> None:
    """Thousands of expired tasks do not keep a worker from the few that are kept alive."""
    harness = make_harness(input_ttl_s=1.0, max_load=10_000)
    harness.manager.renew({"a": TYPES}, lease_s=10)
    harness.manager.submit([task(n) for n in range(3000)])
    wait_until(lambda: harness.manager.load([ONE])[0].waiting == 0, description="all tasks expired")
    harness.manager.submit([task(5000)])
    claims = wait_until(
        lambda: harness.manager.claim("a", TYPES, limit=8, wait_s=0.5),
        description="the task that is kept alive is claimed",
        timeout_s=0.9,
    )
    assert [claim.id for claim in claims] == [task(5000).id]


def test_wanted_statuses_are_statuses(harness: RedisHarness) -> None:
    """A poll of waiting, running and done tasks at once tells each apart."""
    harness.manager.submit([task(1), task(2)])
    claims = harness.manager.claim("a", TYPES, limit=2)
    harness.manager.finish("a", [harness.result(claims[0])])
    statuses = harness.manager.submit([task(1), task(2), task(3)])
    states = sorted(s.state for s in statuses if isinstance(s, Status))
    assert states == [State.DONE, State.RUNNING, State.WAITING]
