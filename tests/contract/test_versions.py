"""Two versions of a task type beside each other, as in a rolling update: each answers its own."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from doneyet.task_types.base import TaskType
from task_manager.errors import AlreadyTerminalError
from task_manager.redis.clients import each_server
from task_manager.values import Claim, Load, Result, State, Status, Task
from tests.contract.harness import ONE, OTHER, RedisHarness, TypeLimits, only
from tests.helpers import connect, wait_until

TYPES = [ONE, OTHER]
Make = Callable[..., RedisHarness]


@pytest.fixture(params=["random", "distributed", "ordered"])
def make(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Make]:
    """Makes what servers and workers of one version use, in one mode on one server."""
    made: list[RedisHarness] = []

    def of_version(
        version: str, *, has_worker: bool = True, types: Sequence[str] = TYPES, **given: Any
    ) -> RedisHarness:
        limits = {name: replace(TypeLimits(), version=version, **given) for name in types}
        made.append(RedisHarness(redis_url, limits, request.param))
        if has_worker:
            made[-1].manager.renew({f"worker-{version}": types}, lease_s=10)
        return made[-1]

    yield of_version
    for harness in made:
        harness.close()


def task(n: int, version: str) -> Task:
    """The task that a server of `version` makes of `n`."""
    text = b'{"n": %d}' % n
    kind = TaskType()
    kind.name, kind.version = ONE, version
    return Task(kind.task_id(text), ONE, text)


def claim(harness: RedisHarness, version: str, limit: int = 10) -> list[Claim]:
    """What the worker of `version` gets."""
    return harness.manager.claim(f"worker-{version}", TYPES, limit)


def flush(redis_url: str) -> None:
    """Redis loses everything."""
    for server in each_server(connect(redis_url)):
        server.flushall()


def claim_all(harness: RedisHarness, version: str, count: int) -> list[Claim]:
    """What the worker of `version` gets in as many claims as `count` tasks take.

    Picks at random that meet another version's tasks may end a claim before its limit.
    """
    claims: list[Claim] = []

    def has_all() -> bool:
        claims.extend(claim(harness, version))
        return len(claims) >= count

    wait_until(has_all, description=f"{count} tasks of version {version} are claimed")
    return claims


def answer(version: str) -> bytes:
    """What the worker of `version` answers."""
    return b'{"version": %s}' % version.encode()


def finish(harness: RedisHarness, version: str, claims: list[Claim]) -> None:
    """The worker of `version` answers, each answer with its version."""
    results = [Result(each.id, each.type, State.DONE, answer(version), 60) for each in claims]
    harness.manager.finish(f"worker-{version}", results)


@pytest.mark.parametrize("order", list(itertools.permutations("12")))
@pytest.mark.parametrize("works_first", ["1", "2"])
def test_each_version_answers_its_own(make: Make, order: tuple[str, ...], works_first: str) -> None:
    """Whoever is asked first and whoever works first: the answer under an id is its version's."""
    by_version = {version: make(version) for version in order}
    for version in order:
        by_version[version].manager.submit([task(n, version) for n in range(5)])
    last = "2" if works_first == "1" else "1"
    for version in (works_first, last):
        claims = claim_all(by_version[version], version, 5)
        assert {each.id for each in claims} == {task(n, version).id for n in range(5)}
        assert all((each.attempts, each.alone) == (1, False) for each in claims)
        assert claim(by_version[version], version) == []
        finish(by_version[version], version, claims)
    for version in order:
        for n in range(5):
            status = only(by_version[version].manager.submit([task(n, version)]))
            assert (status.state, status.body) == (State.DONE, answer(version))
            assert status.load == 0


def test_answers_of_another_version_are_found_by_id(make: Make) -> None:
    """Who has the id of an old version's task gets its answer from a new server."""
    old, new = make("1"), make("2")
    old.manager.submit([task(1, "1")])
    finish(old, "1", claim(old, "1"))
    status = new.manager.status(ONE, task(1, "1").id)
    assert status is not None
    assert (status.state, status.body) == (State.DONE, answer("1"))


def test_versions_are_soon_known_again_after_redis_lost_everything(
    make: Make, redis_url: str
) -> None:
    """Who polls brings a task back, and each server knows it, as before."""
    old, new = make("1"), make("2")
    flush(redis_url)
    wait_until(
        lambda: old.manager.submit([task(1, "1")]) and new.manager.status(ONE, task(1, "1").id),
        description="the other version's server knows it",
        timeout_s=20,
    )
    assert [load.version for load in new.manager.other_versions([ONE])] == ["1"]


@pytest.mark.parametrize("types", [TYPES, [OTHER]])
def test_who_watches_another_versions_tasks_keeps_them_alive(
    make: Make, types: Sequence[str]
) -> None:
    """Also one that does not know their type; their turns stay, and what is not watched expires."""
    old, new = make("1", input_ttl_s=1.0), make("2", types=types, has_worker=False)
    watched = [task(n, "1") for n in (3, 1, 2)]
    old.manager.submit([*watched, task(4, "1")])
    told = new.manager.statuses(ONE, [each.id for each in watched], keep_s=60)
    assert [each.state for each in told if each] == [State.WAITING] * 3
    wait_until(
        lambda: new.manager.status(ONE, task(4, "1").id) is None, description="the other expires"
    )
    assert old.manager.load([ONE])[0].waiting == 3
    in_turn = [each.id for _ in watched for each in claim(old, "1", limit=1)]
    assert sorted(in_turn) == sorted(each.id for each in watched)
    if old.manager.promises.in_turn:
        assert in_turn == [each.id for each in watched]


def test_watching_another_versions_running_task_keeps_its_interest(make: Make) -> None:
    """Should its process die, the task waits on."""
    old, new = make("1", input_ttl_s=1.0), make("2")
    old.manager.submit([task(1, "1")])
    claim(old, "1")
    new.manager.statuses(ONE, [task(1, "1").id], keep_s=60)
    ends_at_s = time.monotonic() + 2.2
    wait_until(lambda: time.monotonic() > ends_at_s, description="the asker's interest is over")
    assert old.manager.recover("worker-1", [ONE], running=()) == 1
    status = new.manager.status(ONE, task(1, "1").id)
    assert status is not None
    assert status.state is State.WAITING


def test_watching_makes_nothing_anew_in_another_version(
    make: Make, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what was cancelled, nor what is gone by the time that it is to be kept alive."""
    old, new = make("1"), make("2")
    old.manager.submit([task(1, "1")])
    new.manager.cancel(ONE, task(1, "1").id)
    (told,) = new.manager.statuses(ONE, [task(1, "1").id], keep_s=60)
    assert told is not None
    assert told.state is State.CANCELLED
    assert claim(old, "1") == []

    old.manager.submit([task(2, "1")])
    manager: Any = new.manager
    look = manager._statuses

    def look_and_lose(*given: Any, **options: Any) -> Any:
        found = look(*given, **options)
        if any(found):
            flush(redis_url)
        return found

    monkeypatch.setattr(manager, "_statuses", look_and_lose)
    (told,) = new.manager.statuses(ONE, [task(2, "1").id], keep_s=60)
    assert told is not None
    assert old.manager.load([ONE])[0].waiting == 0


def test_many_of_another_version_do_not_starve_a_worker(make: Make) -> None:
    """A worker soon gets the only task of its own version, however many others wait."""
    old, new = make("1"), make("2")
    new.manager.submit([task(n, "2") for n in range(900)])
    old.manager.submit([task(1, "1")])
    found = [each.id for _ in range(12) for each in claim(old, "1", limit=1)]
    assert found == [task(1, "1").id]
    assert len(claim(new, "2", limit=1000)) == 900, "nor does it take theirs"


def test_suspects_of_another_version_wait_for_their_own(make: Make) -> None:
    """A task to be retried alone is passed over by others, and still goes first with its own."""
    old, new = make("1"), make("2")
    new.manager.submit([task(n, "2") for n in range(30)])
    assert len(claim(new, "2", limit=30)) == 30
    new.manager.recover("worker-2", TYPES, running=[task(1, "2").id])
    old.manager.submit([task(30, "1")])
    assert [each.id for each in (*claim(old, "1"), *claim(old, "1"))] == [task(30, "1").id]
    new.manager.renew({"worker-2": TYPES}, lease_s=10)
    (suspect,) = claim(new, "2")
    assert (suspect.id, suspect.attempts, suspect.alone) == (task(1, "2").id, 2, True)


def test_load_is_of_one_version(make: Make) -> None:
    """Tasks and workers of another version say nothing of how long an answer takes."""
    old, new = make("1"), make("2")
    old.manager.submit([task(n, "1") for n in range(3)])
    new.manager.submit([task(n, "2") for n in range(2)])
    claim(old, "1", limit=1)
    for harness, expected in ((old, (2, 1, 1)), (new, (2, 0, 1))):
        load = harness.manager.load([ONE])[0]
        assert (load.waiting, load.running, load.workers) == expected


def test_other_versions_are_known(make: Make) -> None:
    """Those that have tasks or workers, with how many; none of them is one's own."""
    old, new = make("1"), make("2")
    assert [load.version for load in new.manager.other_versions([ONE])] == ["1"], "it has a worker"
    old.manager.submit([task(n, "1") for n in range(3)])
    claim_all(old, "1", 3)
    old.manager.submit([task(n, "1") for n in range(3, 5)])
    new.manager.submit([task(9, "2")])
    assert new.manager.other_versions(TYPES) == [
        Load(ONE, 2, 3, 1, "1"),
        Load(OTHER, 0, 0, 1, "1"),
    ]
    (other,) = old.manager.other_versions([ONE])
    assert (other.version, other.waiting, other.running, other.workers) == ("2", 1, 0, 1)
    assert old.manager.load([ONE]) == [Load(ONE, 2, 3, 1)]


def test_a_version_without_workers_is_known(make: Make) -> None:
    """Since its server submits: somebody forgot to start one."""
    old, new = make("1", has_worker=False), make("2")
    old.manager.submit([task(n, "1") for n in range(3)])
    assert new.manager.other_versions(TYPES) == [Load(ONE, 3, 0, 0, "1")]


def test_versions_that_have_nothing_are_not_told(make: Make) -> None:
    """Nobody works for it any more, and its tasks are done; also where only a server knew it."""
    old, new = make("1"), make("2")
    old.manager.submit([task(1, "1")])
    finish(old, "1", claim_all(old, "1", 1))
    old.manager.recover("worker-1", TYPES)
    assert new.manager.other_versions(TYPES) == []
    old.manager.submit([task(2, "1")])
    assert new.manager.other_versions(TYPES) == [Load(ONE, 1, 0, 0, "1")]


def found(harness: RedisHarness, task_id: str) -> Status:
    """How a task is told to be that is there."""
    status = harness.manager.status(ONE, task_id)
    assert status is not None
    return status


def test_tasks_of_another_version_are_found_by_id(make: Make) -> None:
    """While they wait and while they run, alone and among one's own; and which version they are
    of, so that nobody submits them as one's own."""
    old, new = make("1"), make("2")
    old.manager.submit([task(n, "1") for n in range(2)])
    new.manager.submit([task(7, "2")])
    for n in range(2):
        status = found(new, task(n, "1").id)
        assert (status.state, status.version, status.load) == (State.WAITING, "1", 2)
        assert status.input == task(n, "1").input
    assert found(new, task(7, "2").id).version == ""
    claimed = claim(old, "1", limit=1)[0].id
    old.manager.progress("worker-1", {claimed: (ONE, 0.5, "half")})
    status = found(new, claimed)
    assert (status.state, status.version, status.progress) == (State.RUNNING, "1", (0.5, "half"))
    ids = [task(0, "1").id, task(7, "2").id, task(8, "2").id, task(1, "1").id]
    told = new.manager.statuses(ONE, ids)
    assert [status and status.version for status in told] == ["1", "", None, "1"]


@pytest.mark.parametrize("runs", [False, True])
def test_tasks_of_another_version_can_be_cancelled(make: Make, *, runs: bool) -> None:
    """They run no more, nobody counts them, and their own servers know."""
    old, new = make("1"), make("2")
    old.manager.submit([task(n, "1") for n in range(2)])
    if runs:
        claim_all(old, "1", 2)
    status = new.manager.cancel(ONE, task(0, "1").id)
    assert status is not None
    assert (status.state, status.version, status.load) == (State.CANCELLED, "1", 1)
    assert found(old, task(0, "1").id).state is State.CANCELLED
    load = old.manager.load([ONE])[0]
    assert (load.waiting + load.running, new.manager.load([ONE])[0].waiting) == (1, 0)
    if runs:
        renewal = old.manager.renew({"worker-1": TYPES}, lease_s=10)
        assert renewal.cancelled == {"worker-1": frozenset([task(0, "1").id])}
    else:
        assert [each.id for each in claim_all(old, "1", 1)] == [task(1, "1").id]
    with pytest.raises(AlreadyTerminalError):
        new.manager.cancel(ONE, task(0, "1").id)


def test_tasks_of_unknown_types_are_found_by_id(make: Make) -> None:
    """Who knows neither the type nor its version tells how they are, and cancels them."""
    old, stranger = make("1"), make("1", types=[OTHER])
    assert set(stranger.manager.known_types()) == set(TYPES), "a worker of the first serves both"
    old.manager.submit([task(n, "1") for n in range(3)])
    finish(old, "1", claim(old, "1", limit=1))
    statuses = [found(stranger, task(n, "1").id) for n in range(3)]
    assert sorted(status.state for status in statuses) == ["done", "waiting", "waiting"]
    waiting = [status.id for status in statuses if status.state is State.WAITING]
    status = stranger.manager.cancel(ONE, waiting[0])
    assert status is not None
    assert status.state is State.CANCELLED
    assert [each.id for each in claim_all(old, "1", 1)] == waiting[1:]
    assert stranger.manager.status(ONE, task(9, "1").id) is None
    assert stranger.manager.cancel(ONE, task(9, "1").id) is None


def test_coordinated_tasks_of_unknown_types_are_found_by_id(redis_url: str) -> None:
    """Jobs wait in a queue of their own in the random queue mode, too."""
    limits = {ONE: replace(TypeLimits(), coordinated=True)}
    with (
        closing(RedisHarness(redis_url, limits, "distributed")) as jobs,
        closing(RedisHarness(redis_url, {OTHER: TypeLimits()}, "random")) as stranger,
    ):
        jobs.manager.submit([task(1, "1")])
        assert found(stranger, task(1, "1").id).state is State.WAITING
        status = stranger.manager.cancel(ONE, task(1, "1").id)
        assert status is not None
        assert found(jobs, task(1, "1").id).state is State.CANCELLED


@pytest.mark.parametrize(("counts"), list(itertools.permutations([1, 2, 3], 2)))
def test_tasks_of_another_number_of_queues_are_found_by_id(
    redis_url: str, counts: tuple[int, int]
) -> None:
    """Which is another version, too; each asks where the other's tasks are."""
    made = []
    for count in counts:
        limits = {ONE: TypeLimits()}
        split = f"{ONE}={count}" if count > 1 else ""
        made.append(RedisHarness(redis_url, limits, "distributed", split_types=split))
    mine, theirs = made
    with closing(mine), closing(theirs):
        theirs.manager.submit([task(n, "1") for n in range(12)])
        for n in range(12):
            status = found(mine, task(n, "1").id)
            assert (status.type, status.state) == (ONE, State.WAITING)
            assert status.version, "nobody here takes it for one's own"
        cancelled = mine.manager.cancel(ONE, task(3, "1").id)
        assert cancelled is not None
        assert (cancelled.type, cancelled.state) == (ONE, State.CANCELLED)
        assert theirs.manager.load([ONE])[0].waiting == 11
