"""The scripts of the distributed queue mode, one by one, on a real server."""

from __future__ import annotations

import pytest
import redis

from task_manager.redis.scripts.lua_script import Given
from tests.lua.conftest import COUNTED_WITHIN_MS, KEEP_MS, TTL_MS, RunScript, common_slots


def slots(owner: str = "o", *ids: str) -> dict[str, Given]:
    """What all these scripts are told of the one type, and of tasks."""
    own = {name: name for name in ("waiting", "inputs", "turns", "clients")}
    return {**common_slots(owner, ids), **own}


OF_EACH_QUEUE = (
    *("running", "claims", "owners", "waiting", "inputs", "retry", "wake", "turns", "clients"),
    *("tally", "paused"),
)
"""Keys of which a claim gets one for each type."""


def submit(
    run: RunScript,
    *ids: str,
    max_load: int = 10,
    discard: bool = False,
    awaited: bool = False,
    pick: str = "random",
    askers: str = "",
    most_bytes: int = 1000,
) -> list[bytes | int]:
    """Runs distributed/submit for tasks whose input is `{}`."""
    more: dict[str, Given] = {"max_load": max_load, "discard": discard, "awaited": awaited}
    more |= {"pick": pick, "askers": askers, "most_bytes": most_bytes}
    reply: list[bytes | int] = run(
        "distributed/submit",
        **{**slots("o", *ids), **more, "input_ttl_ms": TTL_MS, "texts": ["{}"] * len(ids)},
    )
    return reply


def claim(
    run: RunScript, owner: str = "o", limit: int = 10, leave: int = 0, pick: str = "random"
) -> list[bytes]:
    """Runs distributed/claim for one type."""
    given: dict[str, Given] = slots(owner)
    given |= {name: [str(given[name])] for name in OF_EACH_QUEUE}
    given |= {"limit": limit, "leave": leave, "pick": pick, "suspects": True, "queue": ["t"]}
    reply: list[bytes] = run("distributed/claim", **given)
    return reply


def give_back(
    run: RunScript,
    owner: str,
    *marks: tuple[str, int],
    max_attempts: int = 3,
    pick: str = "oldest",
) -> int:
    """Runs distributed/return for (id, counted) pairs."""
    counted = [bool(each) for _, each in marks]
    given = {**slots(owner, *(i for i, _ in marks)), "max_attempts": max_attempts, "pick": pick}
    ended: int = run("distributed/requeue", **given, is_counted=counted)
    return ended


def register(client: redis.Redis, owner: str = "o") -> None:
    """Makes `owner` known, as shared/renew does."""
    client.zadd("owners", {owner: 9e15})
    client.expire("owners", 60)


def lapse(client: redis.Redis, *ids: str) -> None:
    """Makes tasks have expired long ago."""
    client.zadd("waiting", dict.fromkeys(ids, 1))


def test_submit_makes_a_task_wait(run: RunScript, client: redis.Redis) -> None:
    """Scored by when it expires; a worker is woken; all keys expire with it."""
    assert submit(run, "a") == [1, b"waiting"]
    seconds, micros = client.time()
    score = client.zscore("waiting", "a")
    assert isinstance(score, float)
    assert abs(score - (seconds * 1000 + micros / 1000 + TTL_MS)) < 1000
    assert client.hkeys("inputs") == [b"a"]
    assert client.llen("wake") == 1
    assert 0 < client.pttl("wake") <= TTL_MS
    for key in ("waiting", "inputs"):
        assert TTL_MS < client.pttl(key) <= TTL_MS + COUNTED_WITHIN_MS


def test_submit_answers_what_is_there(run: RunScript, client: redis.Redis) -> None:
    """A result, a running task, a full type: each has its reply."""
    client.set("result:d", "done 1 2 3 1 9\n{}", ex=9)
    register(client)
    client.hset("running", "r", "o 5 1 2 1")
    client.hset("claims:o", "r", "{}")
    for key in ("running", "claims:o"):
        client.expire(key, 9)
    load, done, running, new, refused = submit(run, "d", "r", "n", "x", max_load=2)
    assert (load, done, new, refused) == (2, b"done 1 2 3 1 9\n{}", b"waiting", b"overloaded")
    assert isinstance(running, bytes)
    assert running.split(b" ")[2] != b"5", "submitting keeps it alive"


def test_submit_sweeps_expired_tasks(run: RunScript, client: redis.Redis) -> None:
    """What has expired neither counts nor takes memory, and submitted again it is new."""
    submit(run, "a", "b", "c")
    lapse(client, "a", "b")
    assert submit(run, "b") == [2, b"waiting"]
    assert sorted(client.zrange("waiting", 0, -1)) == [b"b", b"c"]
    assert sorted(client.hkeys("inputs")) == [b"b", b"c"]


def test_submit_tells_as_much_as_there_is_room_for(run: RunScript, client: redis.Redis) -> None:
    """One result at least; whoever is left out is told so, and loses nothing."""
    record = b"done 1 2 3 1 9\n{}"
    for task_id in "abc":
        client.set(f"result:{task_id}", record, ex=9)
    room = len(record)
    assert submit(run, "a", "b", "n", "c", most_bytes=1) == [
        *(1, record, b"later", b"waiting", b"later"),
    ]
    assert submit(run, "b", "c", "a", most_bytes=room + 1) == [1, record, record, b"later"]
    assert submit(run, "a", "b", discard=True, most_bytes=1) == [3, b"waiting", b"waiting"]


def test_submit_discards(run: RunScript, client: redis.Redis) -> None:
    """A discarded or cancelled result makes way for a new task."""
    client.set("result:d", "done 1 2 3 1 9\n{}", ex=9)
    assert submit(run, "d", discard=True) == [1, b"waiting"]
    client.set("result:c", "cancelled 1 2 3 1 9\n", ex=9)
    assert submit(run, "c") == [2, b"waiting"]
    assert client.exists("result:d", "result:c") == 0


def test_submit_leaves_a_cancelled_result_to_who_waits(run: RunScript, client: redis.Redis) -> None:
    """It is told, and stays; a done one is told as ever."""
    client.set("result:c", "cancelled 1 2 3 1 9\n", ex=9)
    client.set("result:d", "done 1 2 3 1 9\n{}", ex=9)
    told = [0, b"cancelled 1 2 3 1 9\n", b"done 1 2 3 1 9\n{}"]
    assert submit(run, "c", "d", awaited=True) == told
    assert submit(run, "c", "d", awaited=True, discard=True) == [2, b"waiting", b"waiting"]


def test_claim_moves_to_running(run: RunScript, client: redis.Redis) -> None:
    """The task leaves the sorted set and is held by its owner."""
    submit(run, "a")
    assert claim(run) == [], "an unregistered owner gets nothing"
    register(client)
    assert claim(run) == [b"a", b"t", b"1", b"{}"]
    assert client.exists("waiting", "inputs") == 0
    held = client.hget("running", "a")
    assert isinstance(held, bytes)
    assert held.split(b" ")[0] == b"o"
    assert client.hgetall("claims:o") == {b"a": b"{}"}


def test_claim_never_takes_expired_tasks(run: RunScript, client: redis.Redis) -> None:
    """They are swept on the way."""
    submit(run, "a", "b")
    register(client)
    lapse(client, "a")
    assert claim(run)[::4] == [b"b"]
    assert client.exists("waiting", "inputs") == 0


def test_claim_of_several_types_keeps_to_the_limit(run: RunScript, client: redis.Redis) -> None:
    """The first type is served first, the second gets what is left of the limit."""
    register(client)
    for name, ids in (("x", ["x1", "x2"]), ("y", ["y1", "y2", "y3"])):
        for i in ids:
            client.zadd(f"{name}:waiting", {i: 9e15})
            client.hset(f"{name}:inputs", i, "0 1\n{}")
        for key in (f"{name}:waiting", f"{name}:inputs"):
            client.expire(key, 60)
    given: dict[str, Given] = {
        key: [f"{name}:{key}" for name in ("x", "y")] for key in OF_EACH_QUEUE
    }
    given |= {"owner": "o", "limit": 4, "leave": 0, "keep_ms": KEEP_MS}
    given |= {"owners": ["owners"] * 2, "pick": "random", "suspects": True, "queue": ["x", "y"]}
    reply = run("distributed/claim", **given)
    assert sorted(reply[1::4]) == [b"x", b"x", b"y", b"y"]
    assert client.zcard("y:waiting") == 1


def test_claim_takes_retries_first_and_alone(run: RunScript, client: redis.Redis) -> None:
    """A stale entry of the retry list is passed over."""
    submit(run, "a", "b", "c")
    register(client)
    claim(run)
    give_back(run, "o", ("a", 0), ("b", 1), ("c", 0))
    client.lpush("retry", "gone")
    assert claim(run, limit=3)[::4] == [b"b"]
    assert sorted(claim(run, limit=3)[::4]) == [b"a", b"c"]


def test_requeue_gives_back_or_fails_or_drops(run: RunScript, client: redis.Redis) -> None:
    """Uncounted: as new. Counted: to be alone. At max attempts: failed. Expired: dropped."""
    submit(run, "a", "b", "c", "d")
    register(client)
    claim(run)
    held = client.hget("running", "d")
    assert isinstance(held, bytes)
    client.hset("running", "d", held.replace(held.split(b" ")[1], b"1"))
    assert give_back(run, "o", ("a", 0)) == 1
    assert give_back(run, "o", ("b", 1)) == 1
    assert give_back(run, "o", ("c", 1), max_attempts=1) == 1
    assert give_back(run, "o", ("d", 1)) == 1
    assert give_back(run, "o", ("a", 1)) == 0
    assert sorted(client.zrange("waiting", 0, -1)) == sorted(client.hkeys("inputs")) == [b"a", b"b"]
    assert client.lrange("retry", 0, -1) == [b"b"]
    failure = client.get("result:c")
    assert isinstance(failure, bytes)
    assert failure.startswith(b"failed ")
    assert (client.hlen("running"), client.hlen("claims:o")) == (0, 0)


def cancel(run: RunScript, task_id: str) -> bytes | None:
    """Runs distributed/cancel."""
    reply: bytes | None = run("distributed/cancel", **slots("o", task_id))
    return reply


def test_cancel(run: RunScript, client: redis.Redis) -> None:
    """Unknown, waiting, running and terminal tasks each have their reply."""
    assert cancel(run, "a") is None
    submit(run, "a", "b")
    assert str(cancel(run, "a")).startswith("b'cancelled ")
    register(client)
    assert claim(run)[::4] == [b"b"]
    assert str(cancel(run, "b")).startswith("b'cancelled ")
    assert client.hgetall("cancelled") == {b"b": b"o"}
    assert cancel(run, "b") == b"terminal"


def test_status_and_load(run: RunScript, client: redis.Redis) -> None:
    """Looking changes nothing and tells the same load."""

    def status(task_id: str) -> list[bytes | int | None]:
        reply: list[bytes | int | None] = run("distributed/status", **slots("o", task_id))
        return reply

    assert status("a") == [0, None]
    submit(run, "a", "b", "c")
    lapse(client, "c")
    register(client)
    load, word, text = status("a")
    assert text == b"{}"
    assert load == 2
    assert str(word).startswith("b'waiting 0 ")
    assert status("c") == [2, None]
    (taken,) = claim(run, limit=1)[::4]
    _, running, text = status(taken.decode())
    assert text == b"{}"
    assert str(running).startswith("b'running o ")
    assert run("distributed/load", **slots()) == [1, 1, 1, 0]


def test_forget(run: RunScript, client: redis.Redis) -> None:
    """A task that has been answered after all no longer waits."""
    submit(run, "a", "b")
    assert run("distributed/forget", **slots("o", "a", "x")) == 1
    assert client.zrange("waiting", 0, -1) == client.hkeys("inputs") == [b"b"]


def turns(client: redis.Redis) -> list[str]:
    """The ids that have a turn, the first one first."""
    found: list[bytes] = client.zrange("turns", 0, -1)  # type: ignore[assignment]
    return [each.decode() for each in found]


def test_by_turn_submits_line_up(run: RunScript, client: redis.Redis) -> None:
    """In the order of one submit and of submits; submitting again changes no turn; all expires."""
    submit(run, "c", "a", "c", "b", pick="oldest")
    submit(run, "z", "a", pick="oldest")
    assert turns(client) == ["c", "a", "b", "z"]
    assert 0 < client.pttl("turns") <= TTL_MS


def test_by_turn_a_clock_set_back_changes_no_order(run: RunScript, client: redis.Redis) -> None:
    """Whoever comes later has the later turn, although the clock says otherwise."""
    submit(run, "a", pick="oldest")
    client.zadd("turns", {"a": 4e15})
    submit(run, "b", "c", pick="oldest")
    assert turns(client) == ["a", "b", "c"]


def test_by_turn_an_expired_task_queues_anew(run: RunScript, client: redis.Redis) -> None:
    """Submitted after it has expired it is a new task."""
    submit(run, "a", "b", pick="oldest")
    lapse(client, "a")
    submit(run, "c", "a", pick="oldest")
    assert turns(client) == ["b", "c", "a"]


def test_by_turn_claims_come_in_order(run: RunScript, client: redis.Redis) -> None:
    """The first come; what has expired or is known nowhere else is swept on the way."""
    submit(run, *"cabedf", pick="oldest")
    register(client)
    lapse(client, "a")
    client.zadd("turns", {"unknown": 1})
    assert claim(run, limit=3, pick="oldest")[::4] == [b"c", b"b"]
    assert claim(run, limit=2, pick="oldest")[::4] == [b"e", b"d"]
    assert claim(run, limit=2, pick="oldest")[::4] == [b"f"]
    assert client.exists("turns", "waiting", "inputs") == 0


def test_by_turn_a_returned_task_has_its_old_turn(run: RunScript, client: redis.Redis) -> None:
    """What was not begun is before all that came later; a suspect goes first, alone."""
    submit(run, *"abcd", pick="oldest")
    register(client)
    assert claim(run, limit=3, pick="oldest")[::4] == [b"a", b"b", b"c"]
    submit(run, "e", pick="oldest")
    give_back(run, "o", ("c", 0), ("b", 1), ("a", 0))
    assert turns(client) == ["a", "b", "c", "d", "e"]
    assert claim(run, pick="oldest")[::4] == [b"b"]
    assert claim(run, pick="oldest")[::4] == [b"a", b"c", b"d", b"e"]


def test_by_turn_lost_turns_lose_no_task(run: RunScript, client: redis.Redis) -> None:
    """Without its sorted set they come in any order; submitting gives them a turn again."""
    submit(run, "a", "b", pick="oldest")
    client.delete("turns")
    submit(run, "b", pick="oldest")
    assert turns(client) == ["b"]
    register(client)
    client.delete("turns")
    assert sorted(claim(run, pick="oldest")[::4]) == [b"a", b"b"]
    assert give_back(run, "o", ("a", 0), ("b", 0)) == 2
    assert sorted(turns(client)) == ["a", "b"]


def test_by_turn_a_round_time_is_a_number(run: RunScript, client: redis.Redis) -> None:
    """Scores with many zeros, which servers may write as 1e+15, are kept as whole numbers."""
    submit(run, "a", pick="oldest")
    register(client)
    client.zadd("turns", {"a": 2e15})
    client.zadd("waiting", {"a": 3e12})
    claim(run, pick="oldest")
    held = client.hget("running", "a")
    assert isinstance(held, bytes)
    assert held.split(b" ")[1] == b"3000000000000"
    assert held.split(b" ")[5] == b"2000000000000000"


def test_by_turn_cancel_and_forget_leave_no_turn(run: RunScript, client: redis.Redis) -> None:
    """Nor does a finished task keep one."""
    submit(run, "a", "b", "c", pick="oldest")
    cancel(run, "a")
    run("distributed/forget", **slots("o", "b"))
    assert turns(client) == ["c"]
    register(client)
    assert claim(run, pick="oldest")[::4] == [b"c"]
    assert str(cancel(run, "c")).startswith("b'cancelled ")


def test_claim_that_finds_only_expired_tasks_leaves_no_eternal_key(
    run: RunScript, client: redis.Redis
) -> None:
    """More expired tasks than are swept at once: the worker is to look again, for a while."""
    register(client)
    client.zadd("waiting", {f"gone{n}": 1 for n in range(1500)})
    client.expire("waiting", 60)
    assert claim(run) == []
    assert client.llen("wake") == 1
    assert client.pttl("wake") > 0


@pytest.mark.parametrize("pick", ["fair", "oldest", "random"])
def test_oldest(run: RunScript, client: redis.Redis, pick: str) -> None:
    """The longest wait of those that are next, of whatever priority; not of what has expired."""

    def oldest_ms() -> int:
        (reply,) = run("distributed/oldest", **{**slots(), "pick": pick})
        assert isinstance(reply, int)
        return reply

    assert oldest_ms() == -1
    submit(run, "urgent", pick=pick, askers="1 1 1 0 me\n")
    submit(run, "a", "b", "gone", pick=pick, askers="3 5 1 0 me\n")
    now_ms = client.time()[0] * 1000
    for ago_s, task_id in ((30, "urgent"), (60, "a"), (300, "gone")):
        client.hset("inputs", task_id, f"0 {now_ms - ago_s * 1000}\n{{}}")
    lapse(client, "gone")
    assert 60_000 <= oldest_ms() < 65_000
    client.hset("inputs", "a", "unreadable")
    assert 30_000 <= oldest_ms() < 35_000
