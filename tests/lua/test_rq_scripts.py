"""The scripts of the rq queue mode, one by one, on a real server."""

from __future__ import annotations

from typing import Any

import redis

from task_manager.redis.scripts.lua_script import Given
from tests.lua.conftest import RunScript

KEEP_S = 60


def begin(run: RunScript, task_id: str, owner: str = "o") -> bytes | None:
    """Runs rq/begin."""
    names = ("running", "owners", "waiting", "inputs", "turns", "clients", "tally", "paused")
    given: dict[str, Given] = {name: name for name in names}
    given |= {"claims": f"claims:{owner}", "owner": owner, "ids": [task_id], "pick": "random"}
    given |= {"job_prefix": "job:", "job_keep_s": KEEP_S}
    found: bytes | None = run("rq/begin", **given, lease_ms=1000, keep_ms=KEEP_S * 1000)
    return found


def jobs(run: RunScript, *ids: str, ended: bool = False) -> tuple[list[bytes], list[bytes]]:
    """Runs rq/jobs."""
    missing, dead = run(
        "rq/jobs",
        owners="owners",
        waiting="waiting",
        rq_queue="queue",
        rq_taken="taken",
        keep_s=KEEP_S,
        job_prefix="job:",
        ended=ended,
        ids=list(ids),
    )
    return missing, dead


def wait(client: redis.Redis, *ids: str) -> None:
    """Makes tasks wait, as distributed/submit does."""
    for task_id in ids:
        client.zadd("waiting", {task_id: 9e15})
        client.hset("inputs", task_id, '2 5\n{"n":1}')
    for key in ("waiting", "inputs"):
        client.expire(key, 60)


def enqueue(client: redis.Redis, *ids: str) -> None:
    """Gives tasks jobs, as RQ does: the times of `enqueued_at` are those of the ids' order."""
    for task_id in ids:
        fields: dict[Any, Any] = {
            "status": "queued",
            "enqueued_at": f"2026-01-01T00:00:00.{task_id}Z",
        }
        client.hset(f"job:{task_id}", mapping=fields)
        client.expire(f"job:{task_id}", 5)
        client.rpush("queue", task_id)
    client.expire("queue", 5)


def test_begin(run: RunScript, client: redis.Redis) -> None:
    """The task runs in the owner's name, one attempt more, and the owner has a lease."""
    wait(client, "a")
    assert begin(run, "a") == b'{"n":1}'
    held = client.hget("running", "a")
    assert isinstance(held, bytes)
    owner, kept_until, submitted, started, attempts = held.split(b" ")
    assert (owner, kept_until, submitted, attempts) == (b"o", b"9000000000000000", b"5", b"3")
    assert abs(int(started) / 1000 - client.time()[0]) < 5
    assert client.hgetall("claims:o") == {b"a": b'{"n":1}'}
    assert client.exists("waiting", "inputs") == 0
    assert client.zscore("owners", "o") == int(started) + 1000


def test_begin_takes_only_what_waits(run: RunScript, client: redis.Redis) -> None:
    """Not what is unknown, runs already, or has expired, which is forgotten."""
    assert begin(run, "unknown") is None
    wait(client, "a", "b")
    begin(run, "a")
    assert begin(run, "a", "other") is None
    client.zadd("waiting", {"b": 1})
    assert begin(run, "b") is None
    assert client.exists("waiting", "inputs", "claims:other") == 0


def test_jobs_that_are_queued_are_kept(run: RunScript, client: redis.Redis) -> None:
    """As long as their tasks; the queue, too."""
    wait(client, "1", "2")
    enqueue(client, "1", "2")
    assert jobs(run, "1", "2") == ([], [])
    assert all(client.ttl(key) > 50 for key in ("job:1", "job:2", "queue"))


def test_jobs_that_are_not_there_are_told(run: RunScript, client: redis.Redis) -> None:
    """Without a hash, ended, or out of the queue; not where a worker begins, or nothing waits."""
    wait(client, *"123458")
    enqueue(client, *"124568")
    client.hset("job:8", "status", "started")
    client.lrem("queue", 0, "8")
    client.hset("job:2", "status", "failed")
    client.lrem("queue", 0, "1")
    client.delete("job:5")
    assert jobs(run, *"12345678") == ([b"1", b"2", b"3", b"5"], [])


def test_a_job_that_a_worker_has_just_taken_is_there(run: RunScript, client: redis.Redis) -> None:
    """And one that seems older than the next one, since clocks differ, but is in the queue."""
    wait(client, "1", "2", "3")
    enqueue(client, "1", "3", "2")
    client.lmove("queue", "taken", "LEFT", "RIGHT")
    client.expire("taken", 5)
    assert jobs(run, "1", "2", "3") == ([], [])


def test_jobs_of_a_worker_that_has_ended(run: RunScript, client: redis.Redis) -> None:
    """A job that says that it runs is missing where its task waits, and deleted where not."""
    wait(client, "1")
    enqueue(client, "1", "2")
    for task_id in "12":
        client.hset(f"job:{task_id}", "status", "started")
    assert jobs(run, "1", "2") == ([], [])
    assert jobs(run, "1", "2", ended=True) == ([b"1"], [])
    assert (client.exists("job:1"), client.exists("job:2")) == (1, 0)


def test_expired_jobs_leave_the_queue(run: RunScript, client: redis.Redis) -> None:
    """Where no worker runs, too."""
    wait(client, "9")
    enqueue(client, "1", "2", "9")
    client.delete("job:1", "job:2")
    assert jobs(run, "9") == ([], [])
    assert client.lrange("queue", 0, -1) == [b"9"]


def test_dead_owners_are_told(run: RunScript, client: redis.Redis) -> None:
    """Those whose lease is over."""
    client.zadd("owners", {"dead": 1, "alive": 9e15})
    client.expire("owners", 60)
    assert jobs(run) == ([], [b"dead"])
