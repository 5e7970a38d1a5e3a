"""Keys that Redis lost, one at a time: asking again answers, counts are right, all keys expire."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis

from task_manager.errors import UnavailableError
from task_manager.values import Result, State, Status
from tests.conftest import keys_without_ttl
from tests.contract.harness import ONE, OTHER, RedisHarness, TypeLimits, answer, only, task
from tests.helpers import connect, wait_until

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
        with connect(url, single_connection_client=True) as client:
            client.select(database)
            found += [(database, key) for key in client.scan_iter(count=1000)]
    return sorted(found)


def lose(url: str, *keys: tuple[int, bytes]) -> None:
    """What an eviction, or an expiry that came too early, does."""
    for database, key in keys:
        with connect(url, single_connection_client=True) as client:
            client.select(database)
            client.delete(key)


def lasting(url: str) -> set[tuple[int, bytes]]:
    """The keys that live for more than 30 s yet."""
    found = set()
    for database, key in all_keys(url):
        with connect(url, single_connection_client=True) as client:
            client.select(database)
            if client.ttl(key) > 30:
                found.add((database, key))
    return found


def kind(key: bytes) -> str:
    """A key without what differs between keys of one kind."""
    return re.sub(r"(input|result|claims):.*|\{\w+\}", r"\1", key.decode())


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
        load = harness.manager.load([ONE])[0]
        assert load.waiting + load.running == open_tasks
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
    """Submitting again answers all, nothing is counted any more, and no key lives for ever."""
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
        with connect(redis_url) as client:
            client.flushall()
        prepare(harness)
        lost = [each for each in all_keys(redis_url) if kind(each[1]) == name]
        lose(redis_url, *lost[:1])  # there is none of those that are written once a minute
        let_die(harness)
        check_all_is_well(harness, redis_url)


@pytest.mark.parametrize("prepare", STATES, ids=lambda state: state.__name__)
def test_each_kind_of_key(harness: RedisHarness, redis_url: str, prepare: Prepare) -> None:
    """The same where all keys of one kind are lost, such as all inputs."""
    prepare(harness)
    for name in sorted({kind(key) for _, key in all_keys(redis_url)}):
        with connect(redis_url) as client:
            client.flushall()
        prepare(harness)
        lose(redis_url, *(each for each in all_keys(redis_url) if kind(each[1]) == name))
        let_die(harness)
        check_all_is_well(harness, redis_url)


def test_servers_with_different_ttls(
    make_harness: Callable[..., RedisHarness], redis_url: str
) -> None:
    """A server whose tasks are kept alive for a second ends nothing that another keeps."""
    patient, hasty = make_harness(input_ttl_s=60.0), make_harness(input_ttl_s=1.0)
    patient.manager.submit([task(1), task(2)])
    patient.manager.submit([task(n, OTHER) for n in range(5)])
    kept = lasting(redis_url)
    hasty.manager.submit([task(2), task(3)])
    assert lasting(redis_url) >= kept > set()
    wait_until(
        lambda: patient.manager.load([ONE])[0].waiting == 2, description="the third has expired"
    )
    assert patient.manager.status(ONE, task(3).id) is None
    ends_at = time.monotonic() + 1.2
    wait_until(lambda: time.monotonic() > ends_at, description="what had a short ttl would be gone")
    assert not keys_without_ttl(redis_url)
    assert patient.manager.load([ONE])[0].waiting == 2
    ran = [*patient.work_once(), *patient.work_once()]
    assert sorted(ran) == [0, 1, 1, 2, 2, 3, 4]
    assert patient.manager.load([ONE])[0].waiting == 0


def test_hasty_server_asks_of_a_running_task(make_harness: Callable[..., RedisHarness]) -> None:
    """A running task is kept as long as anybody keeps it alive, and then waits again as long."""
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


def test_suspects_stay_alone_without_their_list(harness: RedisHarness, redis_url: str) -> None:
    """Who has to be retried alone is so even where the list of them was lost, and goes first again
    as soon as one was met."""
    manager = harness.manager
    manager.renew({"a": TYPES}, lease_s=10)
    manager.submit([task(n) for n in range(4)])
    assert len(manager.claim("a", TYPES, limit=100)) == 4
    manager.submit([task(n) for n in range(10, 20)])
    manager.recover("a", TYPES, running=[task(n).id for n in (1, 2, 3)])
    manager.submit([task(n) for n in range(20, 30)])
    lose(redis_url, *(key for key in all_keys(redis_url) if key[1].endswith(b"retry")))
    manager.renew({"b": TYPES}, lease_s=10)
    together = []
    while claims := manager.claim("b", TYPES, limit=5):
        assert len(claims) == 1 or not any(claim.alone for claim in claims)
        together.append(len(claims))
    assert sum(together) == 24
    assert sorted(together)[:3] == [1, 1, 1]
    assert len(together) <= 24


DAMAGE: dict[str, Callable[[redis.Redis, redis.Redis], object]] = {
    "running": lambda main, _: garble(main, "*:running"),
    "inputs": lambda main, _: garble(main, "*:inputs"),
    "counts": lambda main, _: garble(main, "*:counts"),
    "input": lambda _, inputs: [
        inputs.set(key, "?", keepttl=True) for key in inputs.scan_iter(match="*:input:*")
    ],
    "half of counts": lambda main, _: [
        main.hdel(key, "total") for key in main.scan_iter(match="*:counts")
    ],
    "half of inputs": lambda main, _: [
        main.hdel(key, *main.hkeys(key)[::2]) for key in main.scan_iter(match="*:inputs")
    ],
    "half of waiting": lambda main, _: [
        main.zremrangebyrank(key, 0, 3) for key in main.scan_iter(match="*:waiting")
    ],
    "retry": lambda main, _: [
        main.lpush(key, "unknown") for key in main.scan_iter(match="*:retry")
    ],
}


def garble(client: redis.Redis, pattern: str) -> None:
    """Makes nonsense of every field of the hashes whose names match."""
    for key in client.scan_iter(match=pattern):
        client.hset(key, mapping=dict.fromkeys(client.hkeys(key), "?"))


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("prepare", [waiting, running, given_back], ids=lambda each: each.__name__)
def test_partial_records(
    harness: RedisHarness, redis_url: str, prepare: Prepare, damage: str
) -> None:
    """Records that cannot be read raise nothing, and asking again brings all answers."""
    manager = harness.manager
    prepare(harness)
    with (
        connect(redis_url) as main,
        connect(redis_url, single_connection_client=True) as inputs,
    ):
        inputs.select(1)
        DAMAGE[damage](main, inputs)
    manager.status(ONE, task(1).id)
    manager.cancel(ONE, task(2).id)
    manager.finish("a", [Result(task(3).id, ONE, State.FAILED, b"{}", 60)])
    manager.recover("a", TYPES)
    statuses = manager.submit([task(n) for n in NUMBERS], discard=True)
    assert all(isinstance(status, Status) for status in statuses)

    def all_done() -> bool:
        harness.work_once()
        statuses = manager.submit([task(n) for n in NUMBERS])
        return all(isinstance(s, Status) and s.state is State.DONE for s in statuses)

    wait_until(all_done, description="all tasks are done")
    assert manager.load([ONE])[0].waiting >= 0
    assert manager.load([ONE])[0].running == 0
    assert not keys_without_ttl(redis_url)


def test_supervisor_that_is_killed_while_it_recovers(
    harness: RedisHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead owner is still known to others, who go on."""
    running(harness)

    def killed(_calls: object) -> None:
        raise UnavailableError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(harness.manager, "_run", killed)
        with pytest.raises(UnavailableError):
            harness.manager.recover("a", TYPES)
    let_die(harness)
    assert "a" in harness.manager.renew({"b": TYPES}, lease_s=10).dead
    harness.manager.recover("a", TYPES)
    assert len(answered(harness)) == len(NUMBERS)


def test_running_records_that_nobody_would_end(harness: RedisHarness, redis_url: str) -> None:
    """What ran in the name of an owner that is not known any more, and that nobody asks for again,
    is not counted for ever."""
    running(harness)
    with connect(redis_url) as client:
        for key in client.scan_iter(match="*:running"):
            for task_id, held in client.hgetall(key).items():
                owner, _, *rest = held.split(b" ")
                client.hset(key, task_id, b" ".join([owner, b"1", *rest]))
    lose(redis_url, *(key for key in all_keys(redis_url) if b"owners" in key[1]))
    harness.manager.renew({"b": TYPES}, lease_s=10)
    assert harness.manager.load([ONE])[0].running == 0


def test_claims_of_uncounted_tasks(
    make_harness: Callable[..., RedisHarness], redis_url: str
) -> None:
    """After a loss, claiming tasks that nobody asked for since takes nothing from the count of the
    others."""
    harness = make_harness()
    waiting(harness)
    lose(redis_url, *(key for key in all_keys(redis_url) if b"counts" in key[1]))
    harness.manager.submit([task(1)])
    ours = task(1).id
    for _ in NUMBERS:
        claims = harness.manager.claim("a", TYPES, limit=1)
        load = harness.manager.load([ONE])[0]
        assert load.waiting >= (0 if claims[0].id == ours else 1)
        harness.manager.finish("a", [harness.result(claim) for claim in claims])
        if claims[0].id == ours:
            break
    assert only(harness.manager.submit([task(99)])).load >= 1


def test_claims_of_uncounted_tasks_at_once(
    make_harness: Callable[..., RedisHarness], redis_url: str
) -> None:
    """In one claim with some that are counted, they take nothing from the count either."""
    harness = make_harness()
    waiting(harness)
    harness.manager.submit([task(100 + n) for n in NUMBERS])
    lose(redis_url, *(key for key in all_keys(redis_url) if b"counts" in key[1]))
    harness.manager.submit([task(n) for n in NUMBERS])
    claims = harness.manager.claim("a", TYPES, limit=len(NUMBERS))
    counted = {task(n).id for n in NUMBERS} - {claim.id for claim in claims}
    assert harness.manager.load([ONE])[0].waiting >= len(counted)


def test_claims_of_a_living_owner_that_were_lost(harness: RedisHarness, redis_url: str) -> None:
    """Nobody could give them back, so they wait again once they are asked for."""
    running(harness)
    lose(redis_url, *(key for key in all_keys(redis_url) if b"claims" in key[1]))
    assert only(harness.manager.submit([task(1)])).state is State.WAITING
    assert len(answered(harness)) == len(NUMBERS)


def test_scripts_that_are_lost_do_not_change_the_order(
    harness: RedisHarness, redis_url: str
) -> None:
    """A cancelled task is not counted, though Redis knew the script that counts, and not the one
    that cancels."""
    harness.manager.submit([task(7)])
    with connect(redis_url) as client:
        client.script_flush()
    assert harness.manager.status(ONE, task(7).id) is not None
    cancelled = harness.manager.cancel(ONE, task(7).id)
    assert cancelled is not None
    assert (cancelled.state, cancelled.load) == (State.CANCELLED, 0)
