"""Keys that Redis lost, one at a time: asking again answers, counts are right, all keys expire."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis

from task_manager.interface import State, Status
from tests.conftest import keys_without_ttl
from tests.contract.harness import ONE, OTHER, RedisHarness, TypeLimits, answer, only, task
from tests.helpers import wait_until

TYPES = [ONE, OTHER]
NUMBERS = range(1, 9)
Prepare = Callable[[RedisHarness], None]


@pytest.fixture(params=["random", "distributed", "ordered"])
def make_harness(
    request: pytest.FixtureRequest, redis_url: str
) -> Iterator[Callable[..., RedisHarness]]:
    """Makes harnesses of one mode on one server; keyword arguments change the limits."""
    made: list[RedisHarness] = []

    def make(**limits: Any) -> RedisHarness:
        both = {name: replace(TypeLimits(), **limits) for name in TYPES}
        made.append(RedisHarness(redis_url, both, request.param))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def harness(make_harness: Callable[..., RedisHarness]) -> RedisHarness:
    """A mode with the usual limits."""
    return make_harness()


def waiting(harness: RedisHarness) -> None:
    """All tasks wait."""
    harness.manager.renew({"a": TYPES}, lease_s=10)
    harness.manager.submit([task(n) for n in NUMBERS])


def running(harness: RedisHarness) -> None:
    """The dead owner `a` holds all tasks, and nobody has noticed yet that it is dead."""
    waiting(harness)
    assert len(harness.manager.claim("a", TYPES, limit=100)) == len(NUMBERS)
    harness.manager.progress("a", {task(1).id: (ONE, 0.5, "half")})


def given_back(harness: RedisHarness) -> None:
    """Half of the tasks have to be retried alone, half wait as if they were new."""
    running(harness)
    harness.manager.recover("a", TYPES, running=[task(n).id for n in NUMBERS if n % 2])


def cancelled(harness: RedisHarness) -> None:
    """All tasks ran and were cancelled."""
    running(harness)
    for n in NUMBERS:
        harness.manager.cancel(ONE, task(n).id)


def done(harness: RedisHarness) -> None:
    """All tasks have their answer."""
    waiting(harness)
    assert len(harness.work_once()) == len(NUMBERS)


STATES: list[Prepare] = [waiting, running, given_back, cancelled, done]


def all_keys(url: str) -> list[tuple[int, bytes]]:
    """Every key there is, each with its database."""
    found = []
    for database in (0, 1):
        with redis.Redis.from_url(url, single_connection_client=True) as client:
            client.select(database)
            found += [(database, key) for key in client.scan_iter(count=1000)]
    return sorted(found)


def lose(url: str, *keys: tuple[int, bytes]) -> None:
    """What an eviction, or an expiry that came too early, does."""
    for database, key in keys:
        with redis.Redis.from_url(url, single_connection_client=True) as client:
            client.select(database)
            client.delete(key)


def kind(key: bytes) -> str:
    """A key without what differs between keys of one kind."""
    return re.sub(r"(input|result|claims):.*", r"\1", key.decode())


def answered(harness: RedisHarness) -> Sequence[Status | Exception]:
    """Submits all tasks, again and again, while the worker `worker` works, until all are done.

    Nobody but the supervisor of that worker is there, which hears of dead owners as always.
    """
    tasks = [task(n) for n in NUMBERS]

    def all_done() -> Sequence[Status | Exception] | None:
        for load in harness.manager.load(TYPES):
            assert load.waiting >= 0
            assert load.running >= 0
        for dead in harness.manager.renew({"worker": TYPES}, lease_s=10).dead:
            harness.manager.recover(dead, TYPES)
        statuses = harness.manager.submit(tasks)
        open_tasks = sum(isinstance(s, Status) and not s.state.terminal for s in statuses)
        for status in statuses:
            assert isinstance(status, Status)
            assert status.load == open_tasks
            seen = harness.manager.status(ONE, status.id)
            assert seen is not None
            assert (seen.state, seen.load) == (status.state, open_tasks)
        harness.work_once()
        return None if open_tasks else statuses

    statuses = wait_until(all_done, description="all tasks are done")
    assert statuses is not None
    return statuses


def check_all_is_well(harness: RedisHarness, url: str) -> None:
    """Asking again answers all, nothing is counted any more, and no key lives for ever."""
    assert not keys_without_ttl(url)
    statuses = answered(harness)
    assert [s.body for s in statuses if isinstance(s, Status)] == [answer(n) for n in NUMBERS]
    load = harness.manager.load([ONE])[0]
    assert (load.waiting, load.running) == (0, 0)
    assert [s.load for s in harness.manager.submit([task(1)]) if isinstance(s, Status)] == [0]
    assert not keys_without_ttl(url)


def let_die(harness: RedisHarness) -> None:
    """The lease of `a` is over now, unless it is not known any more."""
    with harness.manager._connection.client() as client:  # type: ignore[attr-defined]
        for key in client.scan_iter(match="*:owners"):
            client.zadd(key, {"a": 1}, xx=True)


@pytest.mark.parametrize("prepare", STATES, ids=lambda state: state.__name__)
def test_each_key_alone(harness: RedisHarness, redis_url: str, prepare: Prepare) -> None:
    """Whichever key is lost in whichever state: asking again brings all answers."""
    prepare(harness)
    kinds = {kind(key): (database, key) for database, key in all_keys(redis_url)}
    assert len(kinds) >= 3
    for name in kinds:
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        prepare(harness)
        lost = [each for each in all_keys(redis_url) if kind(each[1]) == name]
        lose(redis_url, lost[0])
        let_die(harness)
        check_all_is_well(harness, redis_url)


@pytest.mark.parametrize("prepare", STATES, ids=lambda state: state.__name__)
def test_each_kind_of_key(harness: RedisHarness, redis_url: str, prepare: Prepare) -> None:
    """The same where all keys of one kind are lost, such as all inputs."""
    prepare(harness)
    for name in sorted({kind(key) for _, key in all_keys(redis_url)}):
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        prepare(harness)
        lose(redis_url, *(each for each in all_keys(redis_url) if kind(each[1]) == name))
        let_die(harness)
        check_all_is_well(harness, redis_url)


def test_servers_with_different_ttls(
    make_harness: Callable[..., RedisHarness], redis_url: str
) -> None:
    """A server whose tasks are wanted for a second ends nothing that another's are wanted for."""
    patient, hasty = make_harness(input_ttl_s=60.0), make_harness(input_ttl_s=1.0)
    patient.manager.submit([task(1), task(2)])
    hasty.manager.submit([task(2), task(3)])
    wait_until(
        lambda: patient.manager.load([ONE])[0].waiting == 2, description="the third has expired"
    )
    assert patient.manager.status(ONE, task(3).id) is None
    ends_at = time.monotonic() + 1.2
    wait_until(lambda: time.monotonic() > ends_at, description="what had a short ttl would be gone")
    assert not keys_without_ttl(redis_url)
    assert patient.manager.load([ONE])[0].waiting == 2
    assert sorted(patient.work_once()) == [1, 2]
    assert patient.manager.load([ONE])[0].waiting == 0


def test_hasty_server_asks_of_a_running_task(make_harness: Callable[..., RedisHarness]) -> None:
    """A running task stays wanted for as long as anybody wants it, and then waits again as long."""
    patient, hasty = make_harness(input_ttl_s=60.0), make_harness(input_ttl_s=1.0)
    manager = patient.manager
    manager.renew({"a": TYPES}, lease_s=10)
    manager.submit([task(1)])
    manager.claim("a", TYPES, limit=1)
    hasty.manager.submit([task(1)])
    ends_at = time.monotonic() + 2.2
    wait_until(lambda: time.monotonic() > ends_at, description="the hasty one's interest is over")
    manager.recover("a", TYPES)
    assert patient.work_once() == [1]
    assert only(manager.submit([task(1)])).state is State.DONE
