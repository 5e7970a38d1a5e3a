"""The scripts that keep and read lists of tasks and workers, one by one, on a real server."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from tests.lua.conftest import TTL_MS, RunScript, common_slots
from tests.lua.test_shared_scripts import finish

LATER = 1 << 53
MOST_ENDED, TRIMMED_ABOVE = 1000, 1250
DAY_MS = 24 * 3600 * 1000


def hold(client: redis.Redis, *ids: str, started_ms: int = 2) -> None:
    """`o` runs these."""
    client.hset("running", mapping=dict.fromkeys(ids, f"o 9 1 {started_ms} 1"))
    client.hset("claims", mapping=dict.fromkeys(ids, "{}"))
    for key in ("running", "claims"):
        client.expire(key, 60)


def end(run: RunScript, client: redis.Redis, *ids: str, state: str = "done") -> None:
    """These run and end, in one call."""
    hold(client, *ids)
    finish(run, *((each, state, '{"n":1}') for each in ids))


def ended(run: RunScript, state: str = "done", **slots: Any) -> list[Any]:
    """What the script tells of those that ended so."""
    asked = {"id_prefix": "", "limit": 50, "before_ms": LATER, "after_id": "", **slots}
    told: list[Any] = run(
        "random/ended_tasks",
        ended=f"ended:{state}",
        result_prefix="result:",
        state=state,
        **asked,
    )
    return told


def test_ended_tasks_are_kept_by_their_end(run: RunScript, client: redis.Redis) -> None:
    """The newest first, with a TTL of days; what came too late to be a result is in no list."""
    end(run, client, "a", "b")
    end(run, client, "c", state="failed")
    finish(run, ("x", "failed", "{}"))
    end(run, client, "d")
    end(run, client, "a")  # the first result stays
    assert client.lrange("ended:done", 0, -1) == [b"d", b"b", b"a"]
    failed: Any = client.lindex("ended:failed", 0)
    assert failed.startswith(b"c failed 1 2 ")
    assert client.llen("ended:failed") == 1
    for key in ("ended:done", "ended:failed"):
        assert DAY_MS < client.pttl(key) <= 7 * DAY_MS


def test_lists_stay_short(run: RunScript, client: redis.Redis) -> None:
    """Of a call that ends very many the last thousand; trimmed rarely, and renewed then."""
    end(run, client, *(f"a{n}" for n in range(1200)))
    assert client.llen("ended:done") == MOST_ENDED
    assert client.lindex("ended:done", 0) == b"a1199"
    client.pexpire("ended:done", 5000)
    end(run, client, *(f"b{n}" for n in range(TRIMMED_ABOVE - MOST_ENDED)))
    assert client.llen("ended:done") == TRIMMED_ABOVE
    assert client.pttl("ended:done") <= 5000
    end(run, client, "c")
    assert client.llen("ended:done") == MOST_ENDED
    assert client.lindex("ended:done", 0) == b"c"
    assert client.pttl("ended:done") > DAY_MS


def test_workers_keep_the_lists(run: RunScript, client: redis.Redis) -> None:
    """For another week, and make none."""
    end(run, client, "a")
    client.pexpire("ended:done", 5000)
    slots = common_slots("o", ()) | {"claims": [], "renewed": [], "lease_ms": 1000}
    run("random/renew", **slots, counts="counts")
    assert client.pttl("ended:done") > DAY_MS
    assert not client.exists("ended:failed")


def test_ends_count_where_a_list_cannot_be_kept(run: RunScript, client: redis.Redis) -> None:
    """Another program's value under that name stops no result."""
    client.set("ended:done", "something else", ex=60)
    end(run, client, "a")
    assert client.exists("result:a")
    assert client.hget("tally", "now done") == b"1"


def test_what_is_told_of_ended_tasks(run: RunScript, client: redis.Redis) -> None:
    """Results as they begin, without the body; where they failed, how they end."""
    body = '{"text":"' + "x" * 100_000 + '","error":{"code":"c","detail":"d"}}'
    hold(client, "a", "b")
    finish(run, ("a", "done", body), ("b", "failed", body))
    is_more, task_id, record, tail = ended(run)
    assert (is_more, task_id, tail) == (0, b"a", b"")
    assert record.startswith(b"done 1 2 ")
    assert len(record) < 100
    _, _, record, tail = ended(run, "failed")
    assert record.startswith(b"failed 1 2 ")
    assert tail.endswith(b'x","error":{"code":"c","detail":"d"}}')
    assert len(tail) < 5_000
    client.delete("result:b")
    assert ended(run, "failed")[1:] == [b"b", record, tail]
    client.set("result:b", "done 1 2 3 1 9\n{}", px=TTL_MS)
    assert ended(run, "failed") == [0]


def test_which_ended_tasks_are_told(run: RunScript, client: redis.Redis) -> None:
    """No expired ones, nor those which ended otherwise since, nor what another program wrote."""
    end(run, client, "a", "b", "c", "d")
    client.delete("result:a")
    client.set("result:b", "something else", px=TTL_MS)
    client.delete("result:c")
    client.hset("result:c", "some", "hash")
    client.pexpire("result:c", TTL_MS)
    assert ended(run)[1::3] == [b"d"]
    client.delete("result:d")
    end(run, client, "d", state="failed")
    assert ended(run) == [0]
    assert ended(run, "failed")[1::3] == [b"d"]
    client.delete("result:d")
    end(run, client, "d", state="failed")
    assert client.llen("ended:failed") == 2
    assert ended(run, "failed")[1::3] == [b"d"]


def test_ended_tasks_after_another(run: RunScript, client: redis.Redis) -> None:
    """By time, those of the same ms by id; a page says whether more follow."""
    for task_id, at_ms in (("a", 100), ("c", 200), ("b", 200), ("e", 200), ("d", 300)):
        client.lpush("ended:done", task_id)
        client.set(f"result:{task_id}", f"done 1 2 {at_ms} 1 9\n{{}}", px=TTL_MS)
    client.pexpire("ended:done", TTL_MS)
    assert ended(run)[1::3] == [b"d", b"b", b"c", b"e", b"a"]
    first = ended(run, limit=2)
    assert (first[0], first[1::3]) == (1, [b"d", b"b"])
    second = ended(run, limit=2, before_ms=200, after_id="b")
    assert (second[0], second[1::3]) == (1, [b"c", b"e"])
    third = ended(run, limit=2, before_ms=200, after_id="e")
    assert (third[0], third[1::3]) == (0, [b"a"])
    assert ended(run, id_prefix="e")[1::3] == [b"e"]


def test_running_tasks(run: RunScript, client: redis.Redis) -> None:
    """Those first that began last; with their progress."""
    for n, task_id in enumerate(("a", "b", "c")):
        hold(client, task_id, started_ms=100 + n)
    client.hset("running", "broken", "nonsense")
    client.hset("progress", "b", "0.5 half")
    client.expire("progress", 60)
    slots = {"running": "running", "progress": "progress", "id_prefix": "", "after_id": ""}
    told = run("random/running_tasks", **slots, limit=2, before_ms=LATER)
    assert told == [1, b"c", b"o 9 1 102 1", b"", b"b", b"o 9 1 101 1", b"0.5 half"]
    told = run("random/running_tasks", **slots, limit=2, before_ms=101)
    assert (told[0], told[1::3]) == (0, [b"b", b"a"])
    told = run("random/running_tasks", **slots | {"after_id": "b"}, limit=2, before_ms=101)
    assert told[1::3] == [b"a"]


def test_workers(run: RunScript, client: redis.Redis) -> None:
    """Those whose lease is valid, as many as are asked for; of each some of its tasks."""
    client.zadd("owners", {"gone": 5, "o": 1e15, "p": 2e15, "q": 3e15})
    hold(client, "a", "b", "c")
    client.rename("claims", "claims:o")
    client.hset("claims:p", mapping={"a": "{}", "lost": "{}"})
    for key in ("owners", "claims:p"):
        client.expire(key, 60)
    slots = {"running": "running", "owners": "owners", "claims_prefix": "claims:"}
    told = run("random/workers", **slots, most=2, most_tasks=2)
    assert told[:2] == [b"o", 3]
    assert len(told[2]) == 4
    assert told[2][1::2] == [b"2", b"2"]
    assert told[3:] == [b"p", 2, []]
    assert run("random/workers", **slots, most=5, most_tasks=2)[6:] == [b"q", 0, []]


@pytest.fixture
def line(client: redis.Redis) -> None:
    """Ten tasks wait: of five turns, two each."""
    ids = [f"t{n}" for n in range(10)]
    client.zadd("turns", {each: 1000 + n // 2 for n, each in enumerate(ids)})
    client.zadd("waiting", {each: 1e14 + n for n, each in enumerate(ids)})
    client.hset("inputs", mapping=dict.fromkeys(ids, "0 77\n{}"))
    for key in ("turns", "waiting", "inputs"):
        client.expire(key, 60)


def waiting(run: RunScript, **slots: Any) -> list[Any]:
    """What the script tells of those that wait."""
    asked: dict[str, Any] = {name: name for name in ("waiting", "inputs", "turns")}
    asked |= {"id_prefix": "", "limit": 50, "after_turn": "", "after_id": "", "pick": "fair"}
    told: list[Any] = run("distributed/waiting_tasks", **asked | slots)
    return told


@pytest.mark.usefixtures("line")
def test_waiting_tasks(run: RunScript, client: redis.Redis) -> None:
    """In turn; behind any of them, also where it is gone and others have the same turn."""
    told = waiting(run, limit=3)
    assert told[:6] == [1, b"1001", b"t2", b"t0", b"1000", b"0 77"]
    assert told[3::3] == [b"t0", b"t1", b"t2"]
    told = waiting(run, after_turn="1001", after_id="t2")
    assert told[:3] == [0, b"1004", b"t9"]
    assert told[3::3] == [f"t{n}".encode() for n in range(3, 10)]
    client.zrem("turns", "t2")
    assert waiting(run, after_turn="1001", after_id="t2")[3] == b"t3"
    assert waiting(run, after_turn="1004", after_id="t9") == [0, b"", b""]
    assert waiting(run, id_prefix="t7")[3::3] == [b"t7"]
    assert waiting(run, limit=8)[0] == 1
    assert waiting(run, limit=9)[0] == 0
    assert waiting(run, pick="random", limit=1)[3:5] == [b"t0", b"100000000000000"]


@pytest.mark.usefixtures("line")
def test_waiting_tasks_that_are_none(run: RunScript, client: redis.Redis) -> None:
    """Expired ones and those whose input is lost are left out; long inputs are not read."""
    client.zadd("waiting", {"t0": 5})
    client.hdel("inputs", "t1")
    client.hset("inputs", "t2", "0 77\n" + "x" * (5 << 20))
    told = waiting(run, limit=2)
    assert told[3:] == [b"t2", b"1001", b"", b"t3", b"1001", b"0 77"]


@pytest.mark.usefixtures("line")
def test_many_are_cancelled(run: RunScript, client: redis.Redis) -> None:
    """As many as are asked for; not those that have their answer already, nor expired ones."""
    client.zadd("waiting", {"t0": 5})
    client.set("result:t1", "done 1 2 3 1 9\n{}", px=TTL_MS)
    slots: dict[str, Any] = {
        **{name: name for name in ("waiting", "inputs", "turns", "tally", "clients")},
        "ended_cancelled": "ended:cancelled",
        "failure_ttl_ms": TTL_MS,
        "channel": "finished",
        "result_prefix": "result:",
    }
    told = run("distributed/cancel_waiting", **slots, most=4)
    assert told == [1, b"t2", b"t3", b"t4"]
    record = client.get("result:t3")
    assert isinstance(record, bytes)
    assert record.startswith(b"cancelled 77 0 ")
    assert record.endswith(b"\n")
    assert client.get("result:t1") == b"done 1 2 3 1 9\n{}"
    assert not client.exists("result:t0")
    for key in ("waiting", "turns"):
        assert client.zcard(key) == 5
    assert client.hlen("inputs") == 5
    listed: Any = client.lrange("ended:cancelled", 0, -1)
    assert [each.split(b" ")[0] for each in listed] == [b"t4", b"t3", b"t2"]
    assert client.hmget("tally", "now cancelled", "now abandoned") == [b"3", b"1"]
    client.hset("inputs", "t5", "0 77\n" + "x" * (5 << 20))
    assert run("distributed/cancel_waiting", **slots, most=4) == [1, b"t5"]
    assert run("distributed/cancel_waiting", **slots, most=5)[0] == 0
    assert run("distributed/cancel_waiting", **slots, most=5) == [0]
