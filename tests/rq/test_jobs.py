"""Tasks as RQ sees them, and what RQ may lose."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from task_manager.errors import UnavailableError
from task_manager.redis.keys import Keys, version_marks
from task_manager.values import State, Status
from tests.contract.harness import ONE, OTHER, TypeLimits, only, task
from tests.rq.harness import RqHarness

ID = task(7).id


@pytest.fixture
def harness(redis_url: str) -> Iterator[RqHarness]:
    """A manager of two types, and a stock worker in this process."""
    limits = {name: replace(TypeLimits(), max_attempts=2) for name in (ONE, OTHER)}
    made = RqHarness(redis_url, limits)
    yield made
    made.close()


def job_of(client: redis.Redis) -> Job:
    """RQ's job for 7."""
    return Job.fetch(ID, connection=client, serializer=JSONSerializer)


def queue_of(client: redis.Redis) -> Queue:
    """RQ's queue of the first type."""
    return Queue(ONE, connection=client, serializer=JSONSerializer)


def test_a_task_is_a_job(harness: RqHarness, client: redis.Redis) -> None:
    """Its id is the task's, its queue the type's; it expires with the interest in the task."""
    harness.manager.submit([task(7)])
    assert queue_of(client).job_ids == [ID]
    job = job_of(client)
    assert (job.func_name, job.args) == ("worker.rq.job.run", [ONE, ID])
    assert (job.description, job.timeout) == (f'{ONE} {{"n": 7}}', -1)
    assert 0 < client.ttl(job.key) <= 31
    assert 0 < client.ttl(f"rq:queue:{ONE}") <= 31


def test_nothing_is_pickled(harness: RqHarness, client: redis.Redis) -> None:
    """What a job calls, and with what, is JSON."""
    harness.manager.submit([task(7)])
    fields: Any = client.hgetall(f"rq:job:{ID}")
    data = json.loads(zlib.decompress(fields[b"data"]))
    assert data == ["worker.rq.job.run", None, [ONE, ID], {}]


def test_rq_info_counts_tasks(harness: RqHarness, redis_url: str) -> None:
    """What waits and what has ended."""
    harness.manager.submit([task(n) for n in range(3)])
    harness.work_once()
    harness.manager.submit([task(n) for n in range(5)])
    program = str(Path(sys.executable).with_name("rq"))
    command = [program, "info", "--raw", "--url", redis_url]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"queue {ONE} 2, 0 executing, 3 finished, 0 failed" in shown


def test_asking_keeps_one_job(harness: RqHarness, client: redis.Redis) -> None:
    """However often, and by whomever."""
    for _ in range(3):
        harness.manager.submit([task(7), task(8), task(7)])
    assert queue_of(client).job_ids == [ID, task(8).id]


@pytest.mark.parametrize("lost", ["hash", "place", "place in the middle", "cancelled", "all"])
def test_asking_again_heals_what_rq_lost(
    harness: RqHarness, client: redis.Redis, lost: str
) -> None:
    """A job without its hash, its place in the queue, or cancelled with RQ's own tools."""
    harness.manager.submit([task(7)])
    if lost == "place in the middle":
        harness.manager.submit([task(8)])
    if lost == "hash":
        client.delete(f"rq:job:{ID}")
    elif lost.startswith("place"):
        client.lrem(f"rq:queue:{ONE}", 0, ID)
    elif lost == "cancelled":
        job_of(client).cancel()
    else:
        client.flushall()
    assert only(harness.manager.submit([task(7)])).state is State.WAITING
    assert ID in queue_of(client).job_ids
    harness.work_once()
    assert only(harness.manager.submit([task(7)])).state is State.DONE
    assert harness.runs.count(7) == 1


def test_a_second_job_of_a_task_does_nothing(harness: RqHarness, client: redis.Redis) -> None:
    """Neither while it runs nor when it is done."""
    harness.manager.submit([task(7)])
    assert harness.manager.begin("a", ONE, ID) == task(7).input
    assert harness.manager.begin("b", ONE, ID) is None
    queue_of(client).push_job_id(ID)
    assert harness.work_once() == []
    running = only(harness.manager.submit([task(7)]))
    assert (running.state, running.attempts) == (State.RUNNING, 1)


def test_a_task_of_a_machine_that_is_gone_runs_again(
    harness: RqHarness, client: redis.Redis
) -> None:
    """When its lease is over, the next submit gives it back; after all attempts it fails."""
    for attempt in (1, 2):
        harness.manager.submit([task(7)])
        assert harness.manager.begin("gone", ONE, ID) is not None
        harness.manager.submit([task(7)])
        status = harness.manager.status(ONE, ID)
        assert status is not None
        assert (status.state, status.attempts) == (State.RUNNING, attempt)
        client.delete(f"rq:queue:{ONE}")
        keys = Keys("doneyet", version_marks(harness.types))
        client.zadd(keys.owners(ONE), {"gone": 1})
        harness.manager.submit([task(7)])
        assert queue_of(client).job_ids == ([ID] if attempt == 1 else [])
    failed = only(harness.manager.submit([task(7)]))
    assert (failed.state, failed.attempts) == (State.FAILED, 2)


@pytest.mark.parametrize("lost", ["begin", "recover"])
def test_a_lost_reply_leaves_nothing_running(
    harness: RqHarness, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """Redis did what it was told, and its reply came too late: the task runs when it is asked for
    again, and not only when its lease is over."""
    real, replies = getattr(harness.manager, lost), iter([False])

    def call(*arguments: Any) -> Any:
        reply = real(*arguments)
        if next(replies, True):
            return reply
        raise UnavailableError("Redis is away: Timeout reading from socket")

    monkeypatch.setattr(harness.manager, lost, call)
    harness.manager.submit([task(7)])
    harness.work_once()
    harness.manager.submit([task(7)])
    harness.work_once()
    (status,) = harness.manager.submit([task(7)])
    assert isinstance(status, Status)
    assert status.state is State.DONE


@pytest.mark.parametrize("waits", [True, False])
def test_a_job_expires_whatever_rq_does_afterwards(
    harness: RqHarness, client: redis.Redis, waits: bool
) -> None:
    """RQ takes the TTL away when the job begins, and may be unable to give it back; also where its
    task has its answer already."""
    harness.manager.submit([task(7)])
    key = f"{Job.redis_job_namespace_prefix}{ID}"
    if not waits:
        harness.manager.cancel(ONE, ID)
    client.persist(key)
    assert bool(harness.manager.begin("o", ONE, ID)) == waits
    assert 0 < client.ttl(key) <= 500


def test_what_an_ended_worker_held_waits_again(harness: RqHarness, client: redis.Redis) -> None:
    """It has a job again at once; the attempt counts only where the worker died of itself."""
    for counts in (False, True):
        harness.manager.submit([task(7)])
        assert harness.manager.begin("host-1.x", ONE, ID) is not None
        client.delete(f"rq:queue:{ONE}")
        harness.manager.end_worker("host-1", [ONE, OTHER], counts=counts)
        assert queue_of(client).job_ids == [ID]
        status = harness.manager.status(ONE, ID)
        assert status is not None
        assert (status.state, status.attempts) == (State.WAITING, int(counts))


def test_load_counts_the_workers_that_rq_knows(harness: RqHarness, client: redis.Redis) -> None:
    """Stock ones as well as doneyet's own."""
    client.sadd(f"rq:workers:{ONE}", "rq:worker:a", "rq:worker:b")
    assert [load.workers for load in harness.manager.load([ONE, OTHER])] == [2, 0]


def test_statuses_are_those_of_the_contract(harness: RqHarness) -> None:
    """Thousands in one submit, of both types, are answered in their order."""
    tasks = [task(n, ONE if n % 2 else OTHER) for n in range(600)]
    statuses = harness.manager.submit(tasks)
    assert [each.id for each in statuses if isinstance(each, Status)] == [t.id for t in tasks]
