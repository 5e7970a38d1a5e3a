"""The scripts that the Redis queue modes share, one by one, on a real server."""

from __future__ import annotations

import re

import pytest
import redis

from task_manager.redis.scripts import FOLDER, Argument
from tests.helpers import wait_until
from tests.lua.conftest import RunScript

FINISH_KEYS = ["running", "claims", "progress", "result:a", "result:b"]


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
        args: list[Argument] = ["o", "finished", "a", "failed", 5000, "A"]
        assert run("shared/finish", FINISH_KEYS[:4], args) == []
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
    args: list[Argument] = ["o", "finished", "b", "failed", 5000, "B", "c", "done", 5000, "C"]
    keys = [*FINISH_KEYS[:3], "result:b", "result:c"]
    assert run("shared/finish", keys, args) == [b"c"]
    assert client.exists("result:b") == 0
    assert client.hkeys("running") == [b"a", b"b"]
    assert run("shared/finish", keys[:4], ["o", "finished", "b", "done", 5000, "B"]) == [b"b"]
    assert client.hkeys("running") == [b"a"], "whoever held it is to leave it"


@pytest.mark.usefixtures("held")
def test_finish_first_result_wins(run: RunScript, client: redis.Redis) -> None:
    """A result that is there stays, and the claim ends all the same."""
    client.set("result:a", "done 1 2 3 1 9\nfirst", ex=9)
    run("shared/finish", FINISH_KEYS[:4], ["o", "finished", "a", "done", 5000, "second"])
    assert client.get("result:a") == b"done 1 2 3 1 9\nfirst"
    assert not client.hexists("running", "a")


def test_renew(run: RunScript, client: redis.Redis) -> None:
    """It registers, tells the dead, and tells each cancelled task once, to its owner only."""
    keys = ["owners", "running", "cancelled", "claims:o"]
    client.zadd("owners", {"dead": 1})
    client.hset("cancelled", mapping={"a": "o", "b": "p"})
    client.expire("cancelled", 60)
    assert run("shared/renew", keys, [5000, 60_000, "o"]) == [[b"o"], [b"dead"], [b"a", b"o"]]
    assert run("shared/renew", keys, [5000, 60_000, "o"]) == [[], [b"dead"], []]
    assert client.zcard("owners") == 2
    assert client.pttl("owners") > 50_000


@pytest.mark.usefixtures("held")
def test_progress(run: RunScript, client: redis.Redis) -> None:
    """Only the holder's reports are shown."""
    args: list[Argument] = ["o", 5000, "a", "0.7 more", "b", "0.9 not mine"]
    assert run("shared/progress", ["running", "progress"], args) == 1
    assert client.hgetall("progress") == {b"a": b"0.7 more"}


@pytest.mark.parametrize("databases", [(0, 1), ("", "")])
def test_probe(run: RunScript, client: redis.Redis, databases: tuple[Argument, Argument]) -> None:
    """It writes, in the input database too where there is one, and leaves nothing behind."""
    assert run("shared/probe", ["probe"], databases) == 1
    assert client.dbsize() == 0
    assert client.info("keyspace") == {}


def test_probe_does_what_all_other_scripts_do() -> None:
    """Whoever may run it may run them all; PUBLISH is tried besides."""
    used, probed = set[str](), set[str]()
    for path in FOLDER.rglob("*.lua"):
        commands = re.findall(r"call\('(\w+)'", path.read_text())
        if path.stem == "probe":
            probed.update(commands)
        elif path.parent.name in ("shared", "random", "distributed", "parts"):
            used.update(commands)
    assert used - probed == {"PUBLISH"}


def test_turns(run: RunScript, client: redis.Redis) -> None:
    """shared/take_lock and shared/release_lock: one holder at a time, with a ttl."""
    assert run("shared/take_lock", ["lock"], ["a", 5000]) == 1
    assert run("shared/take_lock", ["lock"], ["b", 5000]) == 0
    assert run("shared/take_lock", ["lock"], ["a", 9000]) == 1
    assert client.pttl("lock") > 5000
    assert run("shared/release_lock", ["lock"], ["b"]) == 0
    assert run("shared/release_lock", ["lock"], ["a"]) == 1
    assert client.exists("lock") == 0
