"""The scripts of the random queue mode, one by one, on a real server.

`MAIN` and `INPUT` are databases; every task is of type `t`; ids and keys are short on purpose.
"""

from __future__ import annotations

import time

import redis

from task_manager.redis.scripts.lua_script import Given
from tests.lua.conftest import TTL_MS, RunScript, common_slots

MAIN, INPUT = 0, 1


def slots(owner: str = "o", *ids: str) -> dict[str, Given]:
    """What all these scripts are told of the one type, and of tasks."""
    own: dict[str, Given] = {"main_db": MAIN, "input_db": INPUT, "queue": "t", "counts": "counts"}
    return {**common_slots(owner, ids), **own, "pool": [f"in:{i}" for i in ids]}


def submit(
    run: RunScript,
    *ids: str,
    max_load: int = 10,
    discard: bool = False,
    awaited: bool = False,
    most_bytes: int = 1000,
) -> list[bytes | int]:
    """Runs random/submit for tasks whose input is `{}`."""
    more = {"max_load": max_load, "discard": discard, "awaited": awaited, "most_bytes": most_bytes}
    reply: list[bytes | int] = run(
        "random/submit",
        **{**slots("o", *ids), **more, "input_ttl_ms": TTL_MS, "texts": ["{}"] * len(ids)},
    )
    return reply


def claim(run: RunScript, owner: str = "o", limit: int = 10, leave: int = 0) -> list[bytes]:
    """Runs random/claim for type `t`."""
    given = slots(owner)
    lists = ("running", "claims", "owners", "counts", "tally", "paused", "queue")
    given |= {name: [str(given[name])] for name in lists}
    given |= {"limit": limit, "leave": leave, "suspects": True, "input_prefix": "in:"}
    reply: list[bytes] = run("random/claim", **given)
    return reply


def give_back(run: RunScript, owner: str, *marks: tuple[str, int], max_attempts: int = 3) -> int:
    """Runs random/return for (id, counted) pairs."""
    counted = [bool(each) for _, each in marks]
    given = {**slots(owner, *(i for i, _ in marks)), "max_attempts": max_attempts}
    ended: int = run("random/requeue", **given, is_counted=counted)
    return ended


def register(client: redis.Redis, owner: str = "o") -> None:
    """Makes `owner` known, as shared/renew does."""
    client.zadd("owners", {owner: 9e15})
    client.expire("owners", 60)


def counted(client: redis.Redis) -> int:
    """How many waiting tasks `counts` counts."""
    counts: dict[bytes, bytes] = client.hgetall("counts")  # type: ignore[assignment]
    total = int(counts.pop(b"total", b"0"))
    assert total == sum(int(n) for key, n in counts.items() if key not in (b"epoch", b"swept"))
    return total


def test_submit_makes_a_task_wait(run: RunScript, client: redis.Redis, inputs: redis.Redis) -> None:
    """The input stands in its own database with its ttl; a worker is woken."""
    assert submit(run, "a") == [1, b"waiting"]
    text = inputs.get("in:a")
    assert isinstance(text, bytes)
    head, _, body = text.partition(b"\n")
    assert head.split(b" ")[::3] == [b"0", b"t"]
    assert body == b"{}"
    assert TTL_MS <= inputs.pttl("in:a") + 50 <= TTL_MS + 1050  # whole seconds, rounded up
    assert (client.llen("wake"), counted(client)) == (1, 1)
    assert (client.exists("in:a"), client.select(0)) == (0, True)


def test_submit_again_moves_the_count(run: RunScript, client: redis.Redis) -> None:
    """A refreshed task is counted once, in the later second."""
    submit(run, "a")
    first = client.hkeys("counts")
    while True:
        submit(run, "a")
        if client.hkeys("counts") != first:
            break
    assert counted(client) == 1


def test_submit_answers_what_is_there(run: RunScript, client: redis.Redis) -> None:
    """A result, a running task with its progress, a full type: each has its reply."""
    client.set("result:d", "done 1 2 3 1 9\n{}", ex=9)
    register(client)
    client.hset("running", "r", "o 5 1 2 1")
    client.hset("claims:o", "r", "{}")
    client.hset("progress", "r", "0.5 half")
    for key in ("running", "claims:o", "progress"):
        client.expire(key, 9)
    load, done, running, new, refused = submit(run, "d", "r", "n", "x", max_load=2)
    assert (load, done, new, refused) == (2, b"done 1 2 3 1 9\n{}", b"waiting", b"overloaded")
    assert isinstance(running, bytes)
    assert running.startswith(b"running o ")
    assert running.endswith(b" 1 2 1\n0.5 half")
    assert running.split(b" ")[2] != b"5", "submitting keeps it alive"


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


def test_claim_moves_to_running(run: RunScript, client: redis.Redis, inputs: redis.Redis) -> None:
    """The task leaves the input database and is held by its owner."""
    submit(run, "a")
    register(client)
    assert claim(run) == [b"a", b"t", b"1", b"{}"]
    assert inputs.dbsize() == 0
    held = client.hget("running", "a")
    assert isinstance(held, bytes)
    assert held.split(b" ")[0] == b"o"
    assert held.split(b" ")[-1] == b"1"
    assert client.hgetall("claims:o") == {b"a": b"{}"}
    assert counted(client) == 0


def test_claim_needs_a_registered_owner(run: RunScript) -> None:
    """An unknown owner gets nothing."""
    submit(run, "a")
    assert claim(run) == []


def test_claim_leaves_unknown_types_and_foreign_keys(
    run: RunScript, client: redis.Redis, inputs: redis.Redis
) -> None:
    """What it does not understand it does not touch."""
    register(client)
    inputs.set("in:u", "0 1 2 unknown\n{}", ex=9)
    inputs.set("other:k", "foreign", ex=9)
    assert claim(run) == []
    assert inputs.dbsize() == 2


def test_claim_takes_retries_first_and_alone(run: RunScript, client: redis.Redis) -> None:
    """A stale entry of the retry list is passed over."""
    submit(run, "a", "b", "c")
    register(client)
    claim(run)
    give_back(run, "o", ("a", 0), ("b", 1), ("c", 0))
    client.lpush("retry", "gone")
    assert claim(run, limit=3)[::4] == [b"b"]
    assert sorted(claim(run, limit=3)[::4]) == [b"a", b"c"]


def test_claim_of_an_empty_queue_clears_wake(run: RunScript, client: redis.Redis) -> None:
    """Nothing waits, so nobody needs waking."""
    register(client)
    client.rpush("wake", 1, 1)
    client.expire("wake", 9)
    assert claim(run) == []
    assert client.exists("wake") == 0


def test_requeue_gives_back_or_fails_or_drops(
    run: RunScript, client: redis.Redis, inputs: redis.Redis
) -> None:
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
    assert [key for key in (b"in:a", b"in:b", b"in:c", b"in:d") if inputs.exists(key)] == [
        b"in:a",
        b"in:b",
    ]
    assert client.lrange("retry", 0, -1) == [b"b"]
    failure = client.get("result:c")
    assert isinstance(failure, bytes)
    assert failure.startswith(b"failed ")
    assert failure.endswith(b'\n{"error":{}}')
    assert (client.hlen("running"), client.hlen("claims:o"), counted(client)) == (0, 0, 2)


def cancel(run: RunScript, task_id: str) -> bytes | None:
    """Runs random/cancel."""
    reply: bytes | None = run("random/cancel", **slots("o", task_id))
    return reply


def test_cancel(run: RunScript, client: redis.Redis) -> None:
    """Unknown, waiting, running and terminal tasks each have their reply."""
    assert cancel(run, "a") is None
    submit(run, "a", "b")
    reply = cancel(run, "a")
    assert isinstance(reply, bytes)
    assert reply.startswith(b"cancelled ")
    register(client)
    assert claim(run)[::4] == [b"b"]
    assert str(cancel(run, "b")).startswith("b'cancelled ")
    assert client.hgetall("cancelled") == {b"b": b"o"}
    assert cancel(run, "b") == b"terminal"
    assert counted(client) == 0


def test_status_and_load(run: RunScript, client: redis.Redis) -> None:
    """Looking changes nothing and tells the same load."""

    def status(task_id: str) -> list[bytes | int | None]:
        reply: list[bytes | int | None] = run("random/status", **slots("o", task_id))
        return reply

    assert status("a") == [0, None]
    before = time.time()
    submit(run, "a", "b")
    register(client)
    load, word, text = status("a")
    assert text == b"{}"
    assert load == 2
    assert isinstance(word, bytes)
    assert word.startswith(b"waiting 0 ")
    assert abs(int(word.split(b" ")[2]) / 1000 - before) < 5
    (taken,) = claim(run, limit=1)[::4]
    _, running, text = status(taken.decode())
    assert text == b"{}"
    assert str(running).startswith("b'running o ")
    lists = {"running": ["running"], "owners": ["owners"], "counts": ["counts"], "tally": ["tally"]}
    lists["paused"] = ["paused"]
    assert run("random/load", **{**slots(), **lists}) == [1, 1, 1, 0]


def test_oldest(run: RunScript, client: redis.Redis, inputs: redis.Redis) -> None:
    """Of each type and version the longest wait that is met in the pool."""

    def oldest(*queues: str) -> list[int]:
        reply: list[int] = run("random/oldest", main_db=MAIN, input_db=INPUT, queue=[*queues])
        return reply

    long_name = "t" * 200
    assert oldest("t", long_name) == [-1, -1]
    submit(run, "a")
    now_ms = client.time()[0] * 1000
    for number, ago_s in enumerate((30, 90, 60)):
        inputs.set(f"in:{number}", f"0 {now_ms - ago_s * 1000} 7 {long_name}\n{{}}", px=TTL_MS)
    inputs.set("in:strange", "nothing", px=TTL_MS)
    young_ms, old_ms, other_ms = oldest("t", long_name, "other")
    assert 0 <= young_ms < 5000
    assert 90_000 <= old_ms < 95_000
    assert other_ms == -1


def test_forget(run: RunScript, client: redis.Redis, inputs: redis.Redis) -> None:
    """A task that has been answered after all no longer waits."""
    submit(run, "a", "b")
    assert run("random/forget", **slots("o", "a", "x")) == 1
    assert inputs.exists("in:a") == 0
    assert counted(client) == 1
