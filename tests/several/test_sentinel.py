"""A Redis that Sentinels watch: another takes its place, and everything asked for is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from doneyet.local.system import System
from task_manager.errors import MisconfiguredError, UnavailableError
from task_manager.redis.connection import Connection
from task_manager.redis.keys import Keys, version_mark
from task_manager.values import State
from tests.contract.harness import ONE, Harness, RedisHarness, TypeLimits, only, task
from tests.helpers import connect, wait_until
from tests.rq.harness import RqHarness
from tests.several.asking import Asking
from tests.several.sentinels import NAME, Sentinel, Watched, watched
from tests.stopwatch import Stopwatch

MARKS = {ONE: version_mark("1")}

SETTINGS = {
    "DONEYET_TASKS": "tests.several.several_tasks",
    "DONEYET_LEASE_S": "2",
    "DONEYET_INPUT_TTL_S": "15",
    "DONEYET_LOG_LEVEL": "warning",
}

MODES: dict[str, Callable[[str, dict[str, TypeLimits]], Harness]] = {
    "random": partial(RedisHarness, queue_mode="random"),
    "distributed": partial(RedisHarness, queue_mode="distributed"),
    "ordered": partial(RedisHarness, queue_mode="ordered"),
    "rq": RqHarness,
}


@pytest.fixture
def pair() -> Iterator[Watched]:
    """One Sentinel, which is enough while nobody kills it."""
    with watched(sentinels=1) as both:
        yield both


def submitted(harness: Harness, n: int) -> Any:
    """The status of a task, once there is one."""

    def status() -> Any:
        try:
            return only(harness.manager.submit([task(n)]))
        except UnavailableError:
            return None

    return wait_until(status, description="a submit is answered")


def answered(harness: Harness, n: int) -> None:
    """Submits a task until it is answered, and works meanwhile: what is lost comes again."""

    def is_answered() -> bool:
        if submitted(harness, n).state is State.DONE:
            return True
        with suppress(UnavailableError):
            harness.work_once()
        return False

    wait_until(is_answered, description="the task is answered")


@pytest.mark.parametrize("mode", MODES)
def test_every_queue_mode_goes_on_at_the_other(pair: Watched, mode: str) -> None:
    """What waits is answered after the change, by connections that were made before it."""
    harness = MODES[mode](pair.url, {ONE: TypeLimits()})
    harness.manager.check()
    assert submitted(harness, 2).state is State.WAITING
    pair.fail_over()
    answered(harness, 2)
    with connect(pair.master.url) as client:
        assert client.keys(f"*{{{ONE}}}:result:*"), "the other has it"
    harness.close()


def test_news_comes_from_the_other_at_once(pair: Watched) -> None:
    """A subscription that was made before the change tells of what finishes after it."""
    harness = RedisHarness(pair.url, {ONE: TypeLimits()}, "distributed")
    connected: list[bool] = []
    heard: list[str] = []
    watch = harness.manager.watch(heard.extend, connected.append)
    wait_until(lambda: connected, description="it listens")
    pair.fail_over()
    stopwatch = Stopwatch()
    wait_until(lambda: connected[1:2] == [False], description="it knows that news may be missing")
    assert stopwatch.within_s(4.0), stopwatch  # it hears nothing for ten seconds, and no end
    wait_until(lambda: connected[-1], description="it listens again")
    answered(harness, 3)
    wait_until(lambda: task(3).id in heard, description="that it finished is told")
    watch.close()
    harness.close()


def test_what_waits_goes_to_the_other_at_once(pair: Watched) -> None:
    """Connections that were idle leave one that was replaced, although it still takes writes."""
    harness = RedisHarness(pair.url, {ONE: TypeLimits()}, "distributed")
    harness.manager.check()
    submitted(harness, 2)
    pair.fail_over()
    stopwatch = Stopwatch()
    with connect(pair.master.url) as client:

        def is_there() -> bool:
            submitted(harness, 3)
            return bool(client.zscore(Keys("doneyet", MARKS).waiting(ONE), task(3).id))

        wait_until(is_there, description="the other has it")
    assert stopwatch.within_s(3.0), stopwatch
    harness.close()


def test_a_name_that_they_do_not_know(pair: Watched) -> None:
    """It says where nobody was found, and waits: it may be in the middle of a failover."""
    connection = Connection(pair.url.replace(NAME, "nobody"))
    with pytest.raises(UnavailableError, match="nobody") as caught, connection.client() as client:
        client.ping()
    assert not isinstance(caught.value, MisconfiguredError)
    connection.close()


def test_all_sentinels_are_away() -> None:
    """It says so, in a sentence."""
    connection = Connection(f"redis+sentinel://:s3cret@127.0.0.1:1,127.0.0.1:2/{NAME}")
    place = rf"redis\+sentinel://\*\*\*@127.0.0.1:1,127.0.0.1:2/{NAME}"
    with (
        pytest.raises(UnavailableError, match=f"^the Sentinels of {place} are away: .*refused"),
        connection.client() as client,
    ):
        client.ping()
    connection.close()


def test_sentinels_with_a_password(pair: Watched) -> None:
    """It is another than that of the Redis, and never shown."""
    port = int(pair.master.url.rpartition(":")[2].partition("/")[0])
    with Sentinel(port, quorum=1, password="s3cret") as sentinel:
        place = f"redis+sentinel://127.0.0.1:{sentinel.port}/{NAME}"
        wait_until(sentinel.told, description="it answers")
        for given in ("", "?sentinel_password=wr0ng"):
            connection = Connection(place + given)
            with (
                pytest.raises(MisconfiguredError, match="sentinel_password=PASSWORD") as caught,
                connection.client() as client,
            ):
                client.ping()
            assert "wr0ng" not in str(caught.value)
            connection.close()
        connection = Connection(f"{place}?sentinel_password=s3cret")
        with connection.client() as client:
            assert client.ping()
        connection.close()


def test_what_is_no_sentinel(pair: Watched) -> None:
    """A Redis in the place of Sentinels ends a program with a sentence, and the reverse."""
    at = pair.master.url.removeprefix("redis://").removesuffix("/0")
    for url, said in (
        (f"redis+sentinel://{at}/{NAME}", "is no Sentinel"),
        (pair.sentinels[0].url, r"is a Redis Sentinel: write .* as redis\+sentinel://"),
        (f"redis+cluster://{at}", "is no node of a Redis Cluster"),
    ):
        connection = Connection(url)
        with pytest.raises(MisconfiguredError, match=said), connection.client() as client:
            client.get("key")
        connection.close()


@pytest.mark.parametrize("mode", ["random", "distributed", "ordered", "rq"])
def test_a_master_is_killed_while_clients_ask(mode: str) -> None:
    """All are answered, and hear of nothing but answers, and 503 meanwhile."""
    with (
        watched(sentinels=3) as three,
        System(queue_mode=mode, redis_url=three.url, processes=2, settings=SETTINGS) as system,
    ):
        asking = Asking(system.url, "first", "second")
        wait_until(lambda: asking.answered > 50, description="some are answered")
        before = three.master
        three.sentinels[0].kill()
        before.kill()
        wait_until(lambda: three.master is not before, description="the other takes its place")
        answered = asking.answered
        wait_until(lambda: asking.answered > answered + 50, description="more are answered")
        before.start()  # it becomes a replica
        answered = asking.answered
        wait_until(lambda: asking.answered > answered + 50, description="more are answered")
        asking.finish()
        system.check()
