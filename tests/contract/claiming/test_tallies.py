"""What happens to claims is counted; and counting stops nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
import redis

from task_manager.errors import MisconfiguredError
from task_manager.redis.manager import RedisManager
from task_manager.redis.scripts.lua_script import FOLDER
from task_manager.tally import BATCH_SIZES, DURATIONS_S, HISTORY_H, HISTORY_MIN, Runs, Tally
from task_manager.values import State
from tests.contract.claiming.tasks import TYPES, MakeHarness
from tests.contract.harness import ONE, RedisHarness, only, task
from tests.helpers import connect, wait_until

MINUTES_AGO = 7


def tally(harness: RedisHarness) -> Tally:
    """That of the first type."""
    return harness.manager.tallies([ONE])[0]


def counts(harness: RedisHarness, *events: str) -> tuple[int, ...]:
    """How often these happened."""
    told = tally(harness).events
    return tuple(told.get(event, 0) for event in events)


def wait_until_expired(server: redis.Redis) -> None:
    """Waits for as long as a task lives that was submitted just now for a second: tasks of the
    random queue mode expire on whole ones. By the clock that decides."""

    def now_s() -> float:
        seconds, micros = server.time()
        return float(seconds + micros / 1e6)

    expired_s = now_s() + 2
    wait_until(lambda: now_s() > expired_s, description="all tasks have expired")


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    """The server itself."""
    client = connect(redis_url)
    yield client
    client.close()


@pytest.fixture
def key(harness: RedisHarness) -> str:
    """Where the tally is."""
    assert isinstance(harness.manager, RedisManager)
    return harness.manager._keys.tally(ONE)


def test_attempts(make_harness: MakeHarness) -> None:
    """A first claim ends a wait, each other one is a retry; the last death is a crash."""
    harness = make_harness(max_attempts=3)
    harness.manager.submit([task(1)])
    for attempt in range(1, 4):
        harness.manager.renew({f"w{attempt}": TYPES}, lease_s=10)
        assert len(harness.manager.claim(f"w{attempt}", TYPES, limit=5)) == 1
        assert counts(harness, "retries", "crashed") == (attempt - 1, 0)
        harness.manager.recover(f"w{attempt}", TYPES)
    assert counts(harness, "retries", "crashed", "failed", "abandoned") == (2, 1, 0, 0)
    assert sum(tally(harness).waits.counts) == 1


def test_who_asks_of_a_running_task_joins(harness: RedisHarness) -> None:
    """As who asks of a waiting one."""
    harness.manager.submit([task(1), task(2)])
    assert len(harness.manager.claim("a", TYPES, limit=1)) == 1
    harness.manager.submit([task(1), task(2)])
    assert counts(harness, "new", "joined") == (2, 2)


def test_abandoned(make_harness: MakeHarness, server: redis.Redis) -> None:
    """Tasks of which nobody asks any more, waiting or running, once each."""
    harness = make_harness(input_ttl_s=1.0)
    manager = harness.manager
    manager.renew({"a": TYPES}, lease_s=30)
    manager.submit([task(1)])
    assert len(manager.claim("a", TYPES, limit=1)) == 1
    manager.submit([task(n) for n in range(10, 15)])
    wait_until_expired(server)
    assert manager.claim("a", TYPES, limit=9) == []
    manager.submit([task(99)])
    assert counts(harness, "abandoned") == (5,)
    manager.recover("a", TYPES)
    assert counts(harness, "abandoned", "new") == (6, 7)


def test_a_worker_counts_abandoned_tasks_that_it_is_too_busy_to_claim(
    make_harness: MakeHarness, server: redis.Redis
) -> None:
    """Its lease is renewed once a second."""
    harness = make_harness(input_ttl_s=1.0)
    harness.manager.renew({"a": TYPES}, lease_s=30)
    harness.manager.submit([task(n) for n in range(7)])
    wait_until_expired(server)
    harness.manager.renew({"a": TYPES}, lease_s=30)
    assert counts(harness, "new", "abandoned") == (7, 7)


def test_how_long_and_in_what_company_tasks_ran(harness: RedisHarness) -> None:
    """As the worker says; once, though it may say so again."""
    manager = harness.manager
    manager.submit([task(n) for n in range(5)])
    claims = manager.claim("a", TYPES, limit=5)
    results = [harness.result(claim) for claim in claims]
    runs = {ONE: Runs().add(4, 0.3).add(1, 9000.0), "another": Runs().add(3, 1.0)}
    manager.finish("a", results, runs=runs)
    told = tally(harness)
    assert told.runs.counts[DURATIONS_S.index(0.5)] == 4
    assert told.runs.counts[-1] == 1
    assert told.runs.total == pytest.approx(4 * 0.3 + 9000)
    assert told.batches.counts[BATCH_SIZES.index(4)] == told.batches.counts[0] == 1
    assert told.batches.total == sum(told.runs.counts) == told.events["done"] == 5


@pytest.mark.parametrize(
    ("elapsed_s", "bucket"), [(0.0, 0), (0.005, 0), (0.0051, 1), (7200.0, 17), (7200.1, 18)]
)
def test_buckets_hold_their_upper_ends(elapsed_s: float, bucket: int) -> None:
    """As Prometheus wants them: less or equal."""
    assert Tally(ONE, Runs().add(2, elapsed_s).events()).runs.counts[bucket] == 2


def test_scripts_and_programs_have_the_same_buckets() -> None:
    """What the one counts the other names."""
    text = (FOLDER / "parts" / "waits.lua").read_text()
    numbers = re.search(r"local BUCKETS = \{[^\n]*\n([^}]*)\}", text)
    assert numbers
    assert [int(each) / 1000 for each in re.findall(r"\d+", numbers[1])] == [*DURATIONS_S]
    assert f"HISTORY = {HISTORY_MIN} " in (FOLDER / "parts" / "tally.lua").read_text()
    assert f"HOURS = {HISTORY_H} " in (FOLDER / "shared" / "hours.lua").read_text()


def test_a_minute_that_is_over_joins_the_rest(
    harness: RedisHarness, server: redis.Redis, key: str
) -> None:
    """Its events are in the sum and in the history, of which only the last hours are kept."""
    harness.manager.submit([task(1), task(2)])
    this = max(tally(harness).minutes)
    server.hset(key, "minute", this - MINUTES_AGO)
    server.hset(key, f"at {this - HISTORY_MIN - MINUTES_AGO}", "new 4")
    server.hset(key, f"at {this - HISTORY_MIN - MINUTES_AGO + 1}", "new 5")
    harness.manager.submit([task(2), task(3)])
    told = tally(harness)
    kept = {minute: dict(events) for minute, events in told.minutes.items()}
    now = max(kept)
    assert kept == {
        this - HISTORY_MIN - MINUTES_AGO + 1: {"new": 5},
        this - MINUTES_AGO: {"new": 2},
        now: {"new": 1, "joined": 1},
    }
    assert now - this in (0, 1)
    assert counts(harness, "new", "joined") == (3, 1)
    assert server.pttl(key) > 29 * 24 * 3600 * 1000


def spoil_with_another_type(server: redis.Redis, key: str) -> None:
    server.delete(key)
    server.set(key, "no hash", ex=600)


def spoil_this_minute(server: redis.Redis, key: str) -> None:
    server.hset(key, mapping={"now new": "x", "now wait_1": "x", "now done": 10**400})


def spoil_the_counts(server: redis.Redis, key: str) -> None:
    server.hset(key, mapping=dict.fromkeys(["now new", "now done", "new", "at 12", "minute"], "x"))
    server.hset(key, mapping={b"\xff": b"\xfe", "at 13": b"\xff new x new"})


@pytest.mark.parametrize("spoil", [spoil_with_another_type, spoil_this_minute, spoil_the_counts])
def test_a_tally_that_is_spoiled_stops_nothing(
    harness: RedisHarness, server: redis.Redis, key: str, spoil: Callable[[redis.Redis, str], None]
) -> None:
    """Tasks are submitted, claimed, answered, cancelled; what can be told is told."""
    manager = harness.manager
    manager.submit([task(1), task(2), task(3)])
    spoil(server, key)
    manager.submit([task(4)])
    assert manager.cancel(ONE, task(2).id)
    claims = manager.claim("a", TYPES, limit=5)
    assert len(claims) == 3
    manager.finish("a", [harness.result(claims[0])])
    manager.recover("a", TYPES)
    manager.renew({"a": TYPES}, lease_s=10)
    assert len(manager.claim("a", TYPES, limit=5)) == 1
    if server.type(key) == b"hash":
        assert isinstance(tally(harness), Tally)
        assert isinstance(manager.hours([ONE])[0], dict)
    else:
        with pytest.raises(MisconfiguredError, match="DONEYET_KEY_PREFIX"):
            tally(harness)
        with pytest.raises(MisconfiguredError, match="DONEYET_KEY_PREFIX"):
            manager.hours([ONE])


def test_answers_are_told_where_nothing_can_be_counted(
    harness: RedisHarness, server: redis.Redis
) -> None:
    """A Redis without memory refuses all writes, but that somebody asked need not be written."""
    manager = harness.manager
    manager.submit([task(1)])
    (claim,) = manager.claim("a", TYPES, limit=5)
    manager.finish("a", [harness.result(claim)])
    server.config_set("maxmemory", 1)
    try:
        assert only(manager.submit([task(1)])).state is State.DONE
    finally:
        server.config_set("maxmemory", 0)
    before = counts(harness, "cached")
    manager.submit([task(1)])
    assert counts(harness, "cached") == (before[0] + 1,)
