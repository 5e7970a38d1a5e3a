"""A job that failed or was cancelled says so for `failure_ttl`, however seldom it is polled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
import requests

from doneyet.task_types.regression.regression import Predict, Score
from tests.batch.conftest import Jobs
from tests.helpers import wait_until

Start = Callable[..., Jobs]
FAILURE_TTL_S = 90.0
JOBS: list[tuple[str, dict[str, Any]]] = [
    ("/batch", {"task": "slow", "input": "missing.jsonl", "output": "o.jsonl"}),
    ("/batch", {"task": "slow", "input": "cut.json", "output": "o.jsonl"}),
    ("/batch", {"task": "slow", "input": "missing.jsonl", "output": "o.jsonl", "dry_run": True}),
    ("/summarize_batch", {"input_filename": "missing.json", "output_filename": "o.json"}),
]


def left_s(jobs: Jobs, task_id: str) -> float:
    """For how much longer the task's end is told."""
    assert jobs.system.redis is not None
    with redis.Redis.from_url(jobs.system.redis.url) as client:
        (key,) = client.scan_iter(match=f"*{task_id}*", count=1000)
        return int(client.pttl(key)) / 1000


def test_failures_are_told_for_failure_ttl(start_jobs: Start) -> None:
    """Whatever made the job fail; a cancelled one, too. What polls at any shorter interval hears
    of it. Once the input is there, `Cache-Control: no-cache` runs the job again."""
    jobs = start_jobs({"DONEYET_FAILURE_TTL_S": str(FAILURE_TTL_S), "DONEYET_BATCH_JOBS": "1"})
    (jobs.folder / "cut.json").write_text("[1, 2")
    for path, job in JOBS:
        url = jobs.system.url + path
        answer = requests.post(url, json=job, headers={"Prefer": "wait=20"}, timeout=30).json()
        assert answer["status"] == "failed", answer
        assert FAILURE_TTL_S - 30 < left_s(jobs, answer["id"]) <= FAILURE_TTL_S
        assert requests.post(url, json=job, timeout=10).json() == answer

    jobs.write(400, "many.jsonl")
    waiting = jobs.ask(input="many.jsonl")
    cancelled = requests.delete(f"{jobs.system.url}/tasks/{waiting['id']}", timeout=10).json()
    assert cancelled["status"] == "cancelled"
    assert FAILURE_TTL_S - 30 < left_s(jobs, waiting["id"]) <= FAILURE_TTL_S

    jobs.write(3, "missing.jsonl")
    path, job = JOBS[0]
    reply = requests.post(
        jobs.system.url + path,
        json=job,
        headers={"Cache-Control": "no-cache", "Prefer": "wait=20"},
        timeout=30,
    ).json()
    assert reply.get("items") == 3, reply


def test_after_failure_ttl_it_runs_again(start_jobs: Start) -> None:
    """Without any header, since its input may be there by then."""
    jobs = start_jobs({"DONEYET_FAILURE_TTL_S": "1"})
    failed = jobs.run()
    assert "there is no such file" in failed["error"]["detail"]
    jobs.write(3)
    wait_until(lambda: "error" not in jobs.ask(wait_s=1), description="it runs again")
    assert jobs.run()["succeeded"] == 3


@pytest.mark.parametrize("kind", [Predict, Score])
def test_other_types_that_fail_for_now(kind: type[Predict]) -> None:
    """What asks for a regression that is not fitted yet keeps its failures as long as others."""
    assert kind().failure_ttl_s is None
