"""The scripts that the Redis queue modes share, one by one, on a real server."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
import redis

from task_manager.redis.scripts.lua_script import FOLDER, OF_ALL_MODES, Given
from tests.helpers import wait_until
from tests.lua.conftest import KEEP_MS, RunScript


def finish(run: RunScript, *results: tuple[str, str, str]) -> list[bytes]:
    """Runs finish in the name of `o`, for (id, state, body) each."""
    ids, states, bodies = (list(each) for each in zip(*results, strict=True))
    late: list[bytes] = run(
        "random/finish",
        running="running",
        claims="claims",
        progress="progress",
        tally="tally",
        ended_done="ended:done",
        ended_failed="ended:failed",
        results=[f"result:{i}" for i in ids],
        owner="o",
        runs="run_1 1 run_ms 7",
        channel="finished",
        ids=ids,
        states=states,
        ttls_ms=[5000] * len(ids),
        bodies=bodies,
    )
    return late


@pytest.fixture
def held(client: redis.Redis) -> None:
    """Tasks `a` and `b` run; `o` holds `a`, `p` holds `b`."""
    client.hset("running", mapping={"a": "o 9 1 2 1", "b": "p 9 1 2 1"})
    client.hset("progress", "a", "0.5 half")
    client.hset("claims", mapping={"a": "{}", "b": "{}"})
    for key in ("running", "progress", "claims"):
        client.expire(key, 60)


@pytest.mark.usefixtures("held")
def test_finish_stores_and_ends(run: RunScript, client: redis.Redis) -> None:
    """A held task's result is stored with its times; its claim and progress are gone."""
    with client.pubsub() as news:
        news.subscribe("finished")
        news.get_message(timeout=1)
        assert finish(run, ("a", "failed", "A")) == []
        message = wait_until(lambda: news.get_message(timeout=0.1), description="news come")
        assert message["data"] == b"a"
    record = client.get("result:a")
    assert isinstance(record, bytes)
    assert record.startswith(b"failed 1 2 ")
    assert record.endswith(b"\nA")
    assert client.hkeys("running") == [b"b"]
    assert client.hlen("progress") == 0


@pytest.mark.usefixtures("held")
def test_finish_keeps_late_results_but_no_late_failures(
    run: RunScript, client: redis.Redis
) -> None:
    """`p` holds b, and c runs nowhere: o's answers are kept and told as late, its failures not."""
    assert finish(run, ("b", "failed", "B"), ("c", "done", "C")) == [b"c"]
    assert client.exists("result:b") == 0
    assert client.hkeys("running") == [b"a", b"b"]
    assert finish(run, ("b", "done", "B")) == [b"b"]
    assert client.hkeys("running") == [b"a"], "whoever held it is to leave it"


@pytest.mark.usefixtures("held")
def test_finish_first_result_wins(run: RunScript, client: redis.Redis) -> None:
    """A result that is there stays, and the claim ends all the same."""
    client.set("result:a", "done 1 2 3 1 9\nfirst", ex=9)
    finish(run, ("a", "done", "second"))
    assert client.get("result:a") == b"done 1 2 3 1 9\nfirst"
    assert not client.hexists("running", "a")


def test_renew(run: RunScript, client: redis.Redis) -> None:
    """It registers, tells the dead, and tells each cancelled task once, to its owner only."""
    keys = ("owners", "running", "cancelled", "paused", "tally", "counts")
    ended = ("ended_done", "ended_failed", "ended_cancelled")
    given: dict[str, Given] = {name: name for name in (*keys, *ended)}
    given |= {"claims": ["claims:o"], "lease_ms": 5000, "keep_ms": 60_000, "renewed": ["o"]}
    client.zadd("owners", {"dead": 1})
    client.hset("cancelled", mapping={"a": "o", "b": "p"})
    client.expire("cancelled", 60)
    assert run("random/renew", **given) == [[b"o"], [b"dead"], [b"a", b"o"]]
    assert run("random/renew", **given) == [[], [b"dead"], []]
    assert client.zcard("owners") == 2
    assert client.pttl("owners") > 50_000
    client.set("paused", 1, px=1000)
    run("random/renew", **given)
    assert client.pttl("paused") > 29 * 24 * 3600 * 1000


@pytest.mark.usefixtures("held")
def test_progress(run: RunScript, client: redis.Redis) -> None:
    """Only the holder's reports are shown."""
    given: dict[str, Given] = {"running": "running", "progress": "progress", "owner": "o"}
    given |= {"ids": ["a", "b"], "reports": ["0.7 more", "0.9 not mine"], "keep_ms": 5000}
    assert run("random/progress", **given) == 1
    assert client.hgetall("progress") == {b"a": b"0.7 more"}


@pytest.mark.parametrize("path", ["random/probe", "distributed/probe"])
def test_probe(run: RunScript, client: redis.Redis, inputs: redis.Redis, path: str) -> None:
    """It writes, in the input database too where there is one, and leaves nothing behind."""
    assert run(path, probe="probe", main_db=0, input_db=1) == 1
    assert client.dbsize() == inputs.dbsize() == 0


def test_probe_does_what_all_other_scripts_do() -> None:
    """Whoever may run it may run them all; PUBLISH is tried besides."""
    used, probed = set[str](), set[str]()
    for path in FOLDER.rglob("*.lua"):
        commands = re.findall(r"call\('(\w+)'", path.read_text())
        if path.stem in ("probe", "probed"):
            probed.update(commands)
        elif path.parent.name in (*OF_ALL_MODES, "random", "distributed", "parts"):
            used.update(commands)
    assert used - probed == {"PUBLISH"}


def test_tallied(run: RunScript, client: redis.Redis) -> None:
    """Whatever is there; what the worker says is counted with the results."""
    assert run("random/tallied", tally="tally") == []
    finish(run, ("c", "done", "C"))
    fields = run("random/tallied", tally="tally")
    told = dict(zip(fields[::2], fields[1::2], strict=True))
    assert {told.pop(b"minute").isdigit()} == {True}
    assert told == {b"now done": b"1", b"now run_1": b"1", b"now run_ms": b"7"}
    assert client.pttl("tally") > KEEP_MS


def test_hours(run: RunScript, client: redis.Redis) -> None:
    """The sums of minutes; those of hours that are over are kept, for 30 days."""
    assert run("random/hours", tally="tally", hours="hours") == []
    now_s = client.time()[0]
    hour, minute = now_s // 3600, now_s // 60
    ended = 60 * (hour - 2)
    minutes = {f"at {ended}": "new 4 run_ms 9007199254", f"at {ended + 59}": "new 5"}
    too_old = {f"at {60 * (hour - 9) + 59}": "new 1"}  # others of its hour are forgotten
    spoiled = {
        "at x": "new 1",
        f"at {'9' * 400}": "new 1",
        f"at {ended + 1}": "new x",
        "now done": "x",
    }
    now = {"minute": str(minute), "now new": "2"}
    client.hset("tally", mapping=dict[Any, Any](now | minutes | too_old | spoiled))
    client.hset("hours", mapping={str(hour - 719): "new 7", str(hour - 720): "new 8", "x": "new 9"})
    for key in ("tally", "hours"):
        client.expire(key, 60)
    for _ in range(2):
        told = run("random/hours", tally="tally", hours="hours")
        counts = {
            int(told[place]): dict(zip(*[iter(told[place + 1].split())] * 2, strict=True))
            for place in range(0, len(told), 2)
        }
        assert counts == {
            hour - 719: {b"new": b"7"},
            hour - 2: {b"new": b"9", b"run_ms": b"9007199254"},
            hour: {b"new": b"2"},
        }
        assert {int(each) for each in client.hkeys("hours")} == {hour - 719, hour - 2}
        client.hdel("tally", *minutes)  # forgotten, but kept by the hour
    assert client.pttl("hours") > 29 * 24 * 3600 * 1000


def test_publish(run: RunScript, client: redis.Redis) -> None:
    """Versions are known for a day after somebody said that they are served."""
    assert run("random/published", known="versions") == []
    run("random/publish", known="versions", entry="1")
    client.zadd("versions", {"2": (client.time()[0] - 3600) * 1000, "3": 1})
    assert set(run("random/published", known="versions")) == {b"1", b"2", b"3"}
    run("random/publish", known="versions", entry="")
    assert set(run("random/published", known="versions")) == {b"1", b"2", b""}
    assert client.pttl("versions") > 23 * 3600 * 1000


def test_pause(run: RunScript, client: redis.Redis) -> None:
    """A key with a TTL; resuming wakes workers."""
    run("random/pause", paused="paused", wake="wake", is_paused=True)
    assert client.pttl("paused") > 29 * 24 * 3600 * 1000
    assert client.exists("wake") == 0
    run("random/pause", paused="paused", wake="wake", is_paused=False)
    assert client.exists("paused") == 0
    assert client.llen("wake") == 16
    assert 0 < client.pttl("wake") <= KEEP_MS


def test_lock(run: RunScript, client: redis.Redis) -> None:
    """One holder at a time, with a ttl."""

    def take(owner: str, ttl_ms: int) -> int:
        taken: int = run("random/take_lock", lock="lock", owner=owner, ttl_ms=ttl_ms)
        return taken

    assert [take("a", 5000), take("b", 5000), take("a", 9000)] == [1, 0, 1]
    assert client.pttl("lock") > 5000
    assert run("random/release_lock", lock="lock", owner="b") == 0
    assert run("random/release_lock", lock="lock", owner="a") == 1
    assert client.exists("lock") == 0


def test_allow_grants_what_is_free_and_keeps_time(run: RunScript, client: redis.Redis) -> None:
    """A burst of three at most, of a minute each; then nothing until there is one again."""
    slots: dict[str, Given] = {"rate": "rate", "interval_us": 60_000_000, "burst_us": 180_000_000}
    assert run("random/allow", **slots, wanted=2) == [2, 0]
    assert run("random/allow", **slots, wanted=2) == [1, 0]
    granted, wait_us = run("random/allow", **slots, wanted=1)
    assert granted == 0
    assert 0 < wait_us <= 60_000_000
    assert 0 < client.pttl("rate") <= 180_000


def test_a_clock_that_is_put_back_refuses_nobody_for_long(
    run: RunScript, client: redis.Redis
) -> None:
    """As that of a replica that takes over may be: a client waits for one request, not for the
    hour by which it went back."""
    slots: dict[str, Given] = {"rate": "rate", "interval_us": 1_000_000, "burst_us": 5_000_000}
    client.set("rate", time.time_ns() // 1000 + 3_600_000_000, ex=60)
    assert run("random/allow", **slots, wanted=1) == [0, 1_000_000]
