"""Tasks as RQ jobs: order, uniqueness, expiry, and what RQ's own tools see."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from task_manager.errors import UnavailableError
from task_manager.interface import State, Status
from task_manager.ordered import Ordered
from task_manager.ordered_keys import WITHOUT_TTL
from tests.helpers import wait_until
from tests.ordered.conftest import CUBES, SQUARES, MakeHarness, answer, task


def stored(client: redis.Redis) -> list[bytes]:
    """All keys."""
    found: Any = client.keys()
    return list(found)


def test_first_come_first_served(make_harness: MakeHarness) -> None:
    """Tasks run in the order in which they were first asked for, however often asked again."""
    harness = make_harness()
    for n in (5, 3, 9, 1, 7):
        harness.manager.submit([task(n)])
    harness.manager.submit([task(n) for n in (7, 1, 3)])
    assert harness.work_once() == [5, 3, 9, 1, 7]


def test_types_take_turns(make_harness: MakeHarness) -> None:
    """A long queue of one type does not keep a worker from the others."""
    harness = make_harness()
    harness.manager.submit([task(n) for n in range(4)])
    harness.manager.submit([task(n, CUBES) for n in (10, 11)])
    assert harness.work_once() == [0, 10, 1, 11, 2, 3]


def test_many_servers_make_one_job(make_harness: MakeHarness, client: redis.Redis) -> None:
    """Sixteen threads of two servers that ask the same thing at once put one id in the queue."""
    servers = [make_harness().manager for _ in range(2)]
    barrier = threading.Barrier(16)

    def ask(server: Ordered) -> None:
        barrier.wait()
        for _ in range(5):
            server.submit([task(n) for n in range(20)])

    threads = [threading.Thread(target=ask, args=(servers[i % 2],)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = client.lrange("rq:queue:squares", 0, -1)
    assert sorted(ids) == sorted(task(n).id.encode() for n in range(20))


def test_abandoned_tasks_never_run(make_harness: MakeHarness) -> None:
    """A thousand tasks that nobody asks about any more: none runs, none is counted."""
    harness = make_harness(input_ttl_s=1.0)
    harness.manager.submit([task(n) for n in range(1000)])
    wait_until(
        lambda: harness.manager.load([SQUARES])[0].waiting == 0, description="all are abandoned"
    )
    assert harness.work_once() == []


def test_expired_and_asked_again_goes_to_the_end(make_harness: MakeHarness) -> None:
    """An abandoned task that is asked for once more waits behind all others, and runs once."""
    harness = make_harness(input_ttl_s=1.0)
    manager = harness.manager
    manager.submit([task(1), task(2)])

    def first_expired() -> bool:
        manager.submit([task(2)])
        return manager.status(SQUARES, task(1).id) is None

    wait_until(first_expired, description="the first task expired")
    manager.submit([task(3), task(1)])
    assert harness.work_once() == [2, 3, 1]


def test_cancelled_and_asked_again_goes_to_the_end(make_harness: MakeHarness) -> None:
    """A cancelled task that is asked for once more starts anew, and runs once."""
    harness = make_harness()
    harness.manager.submit([task(1), task(2)])
    harness.manager.cancel(SQUARES, task(1).id)
    harness.manager.submit([task(1)])
    assert harness.work_once() == [2, 1]


def test_an_abandoned_queue_does_not_grow(make_harness: MakeHarness, client: redis.Redis) -> None:
    """Where no worker runs, ids of abandoned jobs go as new ones come."""
    harness = make_harness(input_ttl_s=1.0)
    manager = harness.manager
    manager.submit([task(n) for n in range(20)])

    def abandoned() -> bool:
        manager.submit([task(100)])  # keeps the queue itself alive
        return manager.load([SQUARES])[0].waiting == 1

    wait_until(abandoned, description="all but one are abandoned")
    manager.submit([task(n) for n in range(200, 210)])
    assert client.llen("rq:queue:squares") == 11


def test_rq_sees_a_task_as_its_job(make_harness: MakeHarness, client: redis.Redis) -> None:
    """Job id, function, arguments, times to live and retries are where RQ keeps them."""
    make_harness().manager.submit([task(7)])
    queue = Queue(SQUARES, connection=client, serializer=JSONSerializer)
    assert queue.job_ids == [task(7).id]
    job = Job.fetch(task(7).id, connection=client, serializer=JSONSerializer)
    assert (job.func_name, job.args) == ("worker.rq_job.run", [SQUARES, '{"n": 7}'])
    assert (job.ttl, job.result_ttl, job.failure_ttl) == (30, 60, 30)
    assert (job.get_status().value, job.origin, job.retries_left) == ("queued", SQUARES, 2)


def test_rq_sees_a_result(make_harness: MakeHarness, client: redis.Redis) -> None:
    """RQ's own code reads a finished job and its result."""
    harness = make_harness()
    harness.manager.submit([task(7)])
    harness.work_once()
    job = Job.fetch(task(7).id, connection=client, serializer=JSONSerializer)
    assert job.is_finished
    assert job.return_value() == {"done": True, "body": answer(7).decode()}
    queue = Queue(SQUARES, connection=client, serializer=JSONSerializer)
    assert queue.finished_job_registry.get_job_ids() == [task(7).id]
    assert queue.started_job_registry.get_job_ids() == []


def test_rq_info_shows_queues_and_workers(make_harness: MakeHarness, redis_url: str) -> None:
    """The stock command line tool shows what waits, what is done, and who works."""
    harness = make_harness()
    harness.manager.submit([task(n) for n in range(3)])
    harness.work_once()
    harness.manager.submit([task(n) for n in range(5)])
    worker = harness.worker()
    worker.register_birth()
    rq = Path(sys.executable).with_name("rq")
    shown = subprocess.run(
        [rq, "info", "--raw", "--url", redis_url], capture_output=True, text=True, check=True
    ).stdout
    worker.register_death()
    worker.connection.close()
    assert "queue squares 2, 0 executing, 3 finished, 0 failed" in shown
    assert f"worker {worker.name}" in shown
    assert "squares, cubes" in shown


def test_nothing_is_pickled(make_harness: MakeHarness, client: redis.Redis) -> None:
    """Jobs and results are JSON: every binary value is compressed or base64 JSON."""
    harness = make_harness()
    harness.manager.submit([task(7), task(-7)])
    harness.work_once()
    harness.manager.submit([task(8)])
    jobs: dict[int, Any] = {n: client.hgetall(f"rq:job:{task(n).id}") for n in (7, -7, 8)}
    for n, fields in jobs.items():
        data = json.loads(zlib.decompress(fields.pop(b"data")))
        assert data == ["worker.rq_job.run", None, [SQUARES, json.dumps({"n": n})], {}]
        assert all(value.decode().isprintable() for value in fields.values())
    for n in (7, -7):
        entries: Any = client.xrange(f"rq:results:{task(n).id}")
        ((_, result),) = entries
        told = json.loads(b64decode(result.pop(b"return_value")))
        assert told == {"done": n > 0, "body": answer(n).decode()}
        assert all(value.decode().isprintable() for value in result.values())


def test_all_keys_but_rqs_own_sets_expire(make_harness: MakeHarness, client: redis.Redis) -> None:
    """Waiting, running, done, failed, cancelled: only RQ's few sets and registries stay."""
    harness = make_harness()
    harness.manager.submit([task(n) for n in (1, -1, 2)])
    harness.manager.cancel(SQUARES, task(2).id)
    harness.work_once()
    harness.manager.submit([task(n) for n in (3, 4)])
    assert harness.executions.take([SQUARES], "w", "e") == (SQUARES, task(3).id)
    lasting = [key.decode() for key in stored(client) if client.ttl(key) == -1]
    assert [key for key in lasting if not key.startswith(WITHOUT_TTL)] == []


def test_a_server_that_is_away_is_said_within_two_seconds() -> None:
    """Every call raises UnavailableError, none hangs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        manager = Ordered(f"redis://127.0.0.1:{probe.getsockname()[1]}/0", {})
        for call in (
            lambda: manager.load([SQUARES]),
            lambda: manager.status(SQUARES, "x"),
            manager.ping,
        ):
            begun_at = time.monotonic()
            with pytest.raises(UnavailableError):
                call()
            assert time.monotonic() - begun_at < 2
        manager.close()


def test_rqs_own_failures_become_answers(make_harness: MakeHarness, client: redis.Redis) -> None:
    """A job that RQ itself gave up reads as a failed task with one line, never a stack trace."""
    manager = make_harness().manager
    manager.submit([task(7)])
    job = Job.fetch(task(7).id, connection=client, serializer=JSONSerializer)
    with client.pipeline() as pipeline:
        job.set_status("failed", pipeline=pipeline)  # type: ignore[arg-type]
        job._handle_failure("Traceback:\n  File x\nValueError: no such thing", pipeline)
        pipeline.execute()
    (status,) = manager.submit([task(7)])
    assert isinstance(status, Status)
    assert status.state is State.FAILED
    assert json.loads(status.body or b"")["error"] == {
        "code": "task-failed",
        "detail": "ValueError: no such thing",
    }
