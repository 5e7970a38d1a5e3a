"""Real worker processes: killed, cancelled, too slow, told to stop, without Redis."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from local.embedded_redis import EmbeddedRedis
from settings import SettingError, Settings
from task_manager.interface import State, Status, Task
from tests.helpers import wait_until
from tests.ordered.conftest import Workers
from worker.rq_worker import main

MakeWorkers = Callable[..., Workers]


def error_code(status: Status) -> str:
    """Why a task failed."""
    assert status.state is State.FAILED
    return str(json.loads(status.body or b"")["error"]["code"])


def runs_of(log: Path) -> list[int]:
    """The processes that began the gated task of this file."""
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def running(workers: Workers, log: Path, count: int = 1) -> Task:
    """A gated task that has begun `count` times."""
    task = workers.task("gated", str(log))

    def begun() -> bool:
        workers.ask(task)
        return len(runs_of(log)) == count

    wait_until(begun, description=f"the gated task began {count} times", timeout_s=20)
    return task


def test_a_model_loaded_once_stays_loaded(make_workers: MakeWorkers) -> None:
    """Tasks one after the other are answered by one process that loaded its types once."""
    workers = make_workers()
    workers.start()
    told = [json.loads(workers.answer(workers.task("sample", t)).body or b"") for t in "abc"]
    assert [answer["loads"] for answer in told] == [1, 1, 1]
    assert len({answer["pid"] for answer in told}) == 1
    assert [answer["text"] for answer in told] == ["a", "b", "c"]


def test_killed_process_is_retried_within_a_second(
    make_workers: MakeWorkers, tmp_path: Path
) -> None:
    """SIGKILL of the process that runs a task: another takes it over within a second."""
    workers = make_workers(processes=2)
    workers.start()
    wait_until(
        lambda: workers.manager.load(["gated"])[0].workers == 2,
        description="both processes are ready",
        timeout_s=20,
    )
    log = tmp_path / "log"
    task = running(workers, log)
    os.kill(runs_of(log)[0], signal.SIGKILL)
    killed_at = time.monotonic()
    wait_until(lambda: len(runs_of(log)) == 2, description="it runs again", timeout_s=5)
    assert time.monotonic() - killed_at < 1
    log.with_suffix(".open").touch()
    status = workers.answer(task)
    assert (status.state, status.attempts) == (State.DONE, 2)


def test_deadly_task_fails_and_others_are_answered(make_workers: MakeWorkers) -> None:
    """A task that kills its process each time fails after max_attempts; those behind it don't."""
    workers = make_workers()
    workers.start()
    deadly = workers.task("suicidal", "x")
    others = [workers.task("sample", str(n)) for n in range(5)]
    workers.manager.submit([deadly, *others])
    assert [workers.answer(task).state for task in others] == [State.DONE] * 5
    status = workers.answer(deadly)
    assert (error_code(status), status.attempts) == ("deadly", 2)


def test_dead_supervisors_task_comes_back_within_a_lease(
    make_workers: MakeWorkers, tmp_path: Path
) -> None:
    """When supervisor and process are killed, another supervisor's process takes the task over."""
    workers = make_workers()
    first = workers.start()
    log = tmp_path / "log"
    running(workers, log)
    workers.start()
    wait_until(
        lambda: workers.manager.load(["gated"])[0].workers == 2,
        description="the second one is ready",
        timeout_s=20,
    )
    first.kill()
    os.kill(runs_of(log)[0], signal.SIGKILL)
    killed_at = time.monotonic()
    running(workers, log, count=2)
    assert time.monotonic() - killed_at < workers.settings.lease_s + 1.5
    log.with_suffix(".open").touch()


def test_cancelled_task_is_stopped_within_seconds(
    make_workers: MakeWorkers, tmp_path: Path
) -> None:
    """The process that runs a cancelled task is stopped, and the next task is answered."""
    workers = make_workers()
    workers.start()
    log = tmp_path / "log"
    task = running(workers, log)
    status = workers.manager.cancel("gated", task.id)
    assert status is not None
    assert status.state is State.CANCELLED
    wait_until(lambda: gone(runs_of(log)[0]), description="its process is gone", timeout_s=3)
    assert workers.answer(workers.task("sample", "next")).state is State.DONE
    seen = workers.manager.status("gated", task.id)
    assert seen is not None
    assert seen.state is State.CANCELLED


def test_lock_is_refused() -> None:
    """RQ's workers take no turns, and a setting that does nothing is said to."""
    with pytest.raises(SettingError, match="--lock"):
        main(Settings(discipline="ordered", lock="gpu"))


def test_time_limits(make_workers: MakeWorkers) -> None:
    """A task over its time fails at once in Python code; where it holds the interpreter's lock its
    process is killed. Neither is tried again."""
    workers = make_workers()
    workers.start()
    slow, locked = workers.task("slow", "x"), workers.task("locked", "60")
    workers.manager.submit([slow, locked])
    for task in (slow, locked):
        status = workers.answer(task)
        assert (error_code(status), status.attempts) == ("timed-out", 1)


def test_interpreter_lock_past_the_lease_runs_once(make_workers: MakeWorkers) -> None:
    """The supervisor keeps the lease of a process that cannot."""
    workers = make_workers(lease_s=1.0)
    workers.start()
    workers.start()
    status = workers.answer(workers.task("locked", "3.5"))
    assert (status.state, status.attempts) == (State.DONE, 1)


def test_sigterm_finishes_what_runs(make_workers: MakeWorkers, tmp_path: Path) -> None:
    """A drained worker answers the task that it runs, begins no other, and exits with 0."""
    workers = make_workers(grace_s=20.0)
    supervisor = workers.start()
    log = tmp_path / "log"
    task = running(workers, log)
    behind = workers.task("gated", str(tmp_path / "behind"))
    workers.ask(behind)
    supervisor.terminate()
    log.with_suffix(".open").touch()
    assert supervisor.wait(timeout=20) == 0
    assert (workers.ask(task).state, workers.ask(behind).state) == (State.DONE, State.WAITING)
    load = workers.manager.load(["gated"])[0]
    assert (load.waiting, load.running, load.workers) == (1, 0, 0)


def test_sigterm_gives_back_what_takes_longer_than_the_grace(
    make_workers: MakeWorkers, tmp_path: Path
) -> None:
    """After `grace_s` the task waits again, this attempt not counted."""
    workers = make_workers(grace_s=0.5)
    supervisor = workers.start()
    task = running(workers, tmp_path / "log")
    supervisor.terminate()
    assert supervisor.wait(timeout=20) == 0
    status = workers.ask(task)
    assert (status.state, status.attempts) == (State.WAITING, 0)


def test_progress_reaches_the_asker(make_workers: MakeWorkers, tmp_path: Path) -> None:
    """What a handler reports shows in the status while it runs."""
    workers = make_workers()
    workers.start()
    log = tmp_path / "log"
    task = running(workers, log)
    wait_until(
        lambda: workers.ask(task).progress == (0.5, "half way"), description="progress shows"
    )
    log.with_suffix(".open").touch()


def test_result_outlives_an_outage_of_redis(make_workers: MakeWorkers, tmp_path: Path) -> None:
    """A task that ends while Redis is away is stored when it is back, and not run again."""
    with EmbeddedRedis(append_only=True) as server:
        workers = make_workers(server.url, lease_s=10.0)
        workers.start()
        log = tmp_path / "log"
        task = running(workers, log)
        server.kill()
        log.with_suffix(".open").touch()
        server.start()
        status = workers.answer(task)
        assert (status.state, len(runs_of(log))) == (State.DONE, 1)
        assert workers.answer(workers.task("sample", "next")).state is State.DONE
        workers.stop()
        with redis.Redis.from_url(server.url) as client:
            assert client.zcard("rq:wip:gated") == 0


def gone(pid: int) -> bool:
    """Whether there is no process `pid`, or only its exit status."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"
