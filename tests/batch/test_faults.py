"""Jobs whose workers are killed, stopped, cancelled, or cut off from Redis."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
import requests

from tests.batch.conftest import Jobs
from tests.helpers import children_of, wait_until

Start = Callable[..., Jobs]
ITEMS = 80
SLOW_BATCH = 4


@pytest.fixture
def jobs(start_jobs: Start) -> Jobs:
    """A job that has begun, and is not nearly done."""
    jobs = start_jobs()
    jobs.write(ITEMS)
    jobs.ask()
    jobs.wait_for_progress(12)
    return jobs


def assert_resumed(jobs: Jobs) -> None:
    """The output is whole, and what was answered before did not run again."""
    jobs.assert_whole(ITEMS)
    assert sum(jobs.runs().values()) <= ITEMS + 2 * SLOW_BATCH


def worker_processes(jobs: Jobs) -> list[int]:
    """The process ids of the worker's processes."""
    assert jobs.system.worker is not None
    return children_of(jobs.system.worker.pid)


def test_the_whole_worker_is_killed(jobs: Jobs) -> None:
    """Supervisor and process: another worker goes on where they were."""
    assert jobs.system.worker is not None
    for pid in worker_processes(jobs):
        os.kill(pid, signal.SIGKILL)
    jobs.system.worker.kill()
    jobs.system.start_worker()
    assert jobs.run()["succeeded"] == ITEMS
    assert_resumed(jobs)


def test_a_worker_process_is_killed(jobs: Jobs) -> None:
    """The job, in its supervisor, hardly notices."""
    for pid in worker_processes(jobs):
        os.kill(pid, signal.SIGKILL)
    assert jobs.run()["succeeded"] == ITEMS
    assert_resumed(jobs)


def test_a_deployment(jobs: Jobs) -> None:
    """SIGTERM hands the job over; that counts as no attempt."""
    jobs.system.start_worker()  # stops the old one first
    answer = jobs.run()
    assert answer["succeeded"] == ITEMS
    told = requests.get(f"{jobs.system.url}/tasks/{answer['id']}", timeout=10).json()
    assert told["attempts"] == 1
    assert_resumed(jobs)


def test_a_worker_that_stops_begins_no_job(jobs: Jobs) -> None:
    """Not even the one that it gives back, for which its other threads wait."""
    worker = jobs.system.worker
    assert worker is not None
    os.kill(worker.pid, signal.SIGTERM)
    wait_until(lambda: not worker.running, description="it ends")
    log = worker.log_tail()
    assert log.count("is stopped") == 1
    assert log.count("type=batch begins") == 1
    assert requests.get(f"{jobs.system.url}/load/batch", timeout=10).json()["waiting"] == 1


def test_the_http_server_is_killed(jobs: Jobs) -> None:
    """It has no part in a job."""
    assert jobs.system.http_server is not None
    jobs.system.http_server.kill()
    jobs.system.start_http_server()
    assert jobs.run()["succeeded"] == ITEMS
    assert_resumed(jobs)


def test_redis_is_away_for_a_while(jobs: Jobs) -> None:
    """Stopped as by a machine that hangs, for longer than a lease."""
    assert jobs.system.redis is not None
    os.kill(jobs.system.redis.pid, signal.SIGSTOP)
    try:
        wait_until(
            lambda: requests.get(f"{jobs.system.url}/readyz", timeout=10).status_code == 503,
            description="Redis is missed",
        )
    finally:
        os.kill(jobs.system.redis.pid, signal.SIGCONT)
    assert jobs.run()["succeeded"] == ITEMS
    jobs.assert_whole(ITEMS)


def test_a_cancelled_job_writes_nothing(jobs: Jobs) -> None:
    """And the worker does other jobs then."""
    task_id = jobs.ask()["id"]
    cancelled = requests.delete(f"{jobs.system.url}/tasks/{task_id}", timeout=10)
    assert cancelled.json()["status"] == "cancelled"
    jobs.write(4, "few.jsonl")
    assert jobs.run(input="few.jsonl", output="others.jsonl")["succeeded"] == 4
    load = requests.get(f"{jobs.system.url}/load/batch", timeout=10).json()
    assert (load["running"], load["workers"]) == (0, 4)
    wait_until(
        lambda: requests.get(f"{jobs.system.url}/load/slow", timeout=10).json()["running"] == 0,
        description="its items are not asked any more",
    )
    assert not (jobs.folder / "answers.jsonl").exists()


def test_an_output_that_was_there_stays_whole(jobs: Jobs) -> None:
    """Until the new one replaces it at once."""
    target = jobs.folder / "answers.jsonl"
    target.write_text("old\n")
    assert jobs.system.worker is not None
    jobs.system.worker.kill()
    assert target.read_text() == "old\n"
    assert sorted(path.name for path in jobs.folder.iterdir()) == ["answers.jsonl", "items.jsonl"]
    jobs.system.start_worker()
    jobs.run()
    jobs.assert_whole(ITEMS)
