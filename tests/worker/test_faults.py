"""What happens to tasks when processes, supervisors and Redis fail."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.settings import Settings
from task_manager.values import State
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch
from tests.worker.conftest import StartWorker
from tests.worker.running_worker import Asker, runs, runs_of


def wait_for_runs(folder: Path, key: str, count: int, timeout_s: float = 10.0) -> None:
    """Returns once `key` has begun to run `count` times."""
    wait_until(
        lambda: runs_of(folder, key) >= count,
        description=f"{key} ran {count} times",
        timeout_s=timeout_s,
    )


def wait_for(duration_s: float) -> None:
    """Lets time pass, where its passing is what is tested."""
    began_s = time.monotonic()
    wait_until(lambda: time.monotonic() - began_s > duration_s, description="time passes")


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not waited for does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return state != "" and not state.startswith("Z")


def begun(folder: Path) -> list[tuple[int, str]]:
    """In which process each task began, and its key, in order; it may run still."""
    path = folder / "runs"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(pid), key) for _, pid, key in (line.split(",", 2) for line in lines)]


def test_tasks_of_a_killed_process_run_again_within_a_second(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """SIGKILL in mid-batch: the other process takes them; each runs at most twice."""
    worker = start_worker("--processes", "2")
    keys = [f"k{n}-0.8" for n in range(6)]
    asker.ask("sleep", *keys)
    wait_until(lambda: len({pid for pid, _ in begun(tmp_path)}) == 2, description="both run one")
    # The task that began last: the first one may be over on a busy machine.
    victim, key = begun(tmp_path)[-1]
    os.kill(victim, signal.SIGKILL)
    asker.answers("sleep", *keys)
    assert sum(len(batch) for batch in runs(tmp_path)) == 7
    assert runs_of(tmp_path, key) == 2
    wait_until(lambda: len(worker.processes()) == 2, description="it is replaced")
    task_id = asker.task("sleep", key).id
    assert f"ended by SIGKILL while it ran task={task_id} type=sleep" in worker.log()


def test_the_only_process_is_replaced_within_a_second(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """From the kill to the second begin."""
    worker = start_worker()
    asker.ask("sleep", "k-3")
    wait_for_runs(tmp_path, "k-3", 1)
    (pid,) = worker.processes()
    watch = Stopwatch()
    os.kill(pid, signal.SIGKILL)
    wait_for_runs(tmp_path, "k-3", 2)
    assert watch.within_s(2), watch
    assert asker.answers("sleep", "k-3") == [{"key": "k-3", "answer": "K-3"}]


def test_batch_mates_of_a_deadly_input_are_answered(
    tmp_path: Path, settings: Settings, start_worker: StartWorker
) -> None:
    """It is retried alone, fails after `max_attempts`; its mates run twice at most."""
    settings = dataclasses.replace(settings, queue_mode="distributed")
    asker = Asker(settings)
    mates = [f"k{n}" for n in range(7)]
    asker.ask("fragile", *mates, "deadly")
    start_worker("--types", "fragile", settings=settings)
    *good, deadly = asker.answers("fragile", *mates, "deadly")
    assert [each["answer"] for each in good] == [key.upper() for key in mates]
    assert deadly["error"]["code"] == "crashed"
    assert runs_of(tmp_path, "deadly") == 3
    assert all(runs_of(tmp_path, key) <= 2 for key in mates)
    first, *later = runs(tmp_path)
    assert len(first) == 8
    assert all(len(batch) == 1 for batch in later)
    asker.close()


def test_an_input_that_kills_once_is_answered(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """Bad luck is not guilt."""
    start_worker()
    assert asker.answers("fragile", "once") == [{"key": "once", "answer": "ONCE"}]
    assert runs_of(tmp_path, "once") == 2


def test_tasks_of_a_killed_supervisor_come_back_within_a_lease(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """Another worker recovers them; its processes end by themselves."""
    workers = [start_worker("--grace-s", "1") for _ in range(2)]
    asker.ask("sleep", "k-4")
    wait_for_runs(tmp_path, "k-4", 1)
    orphan = begun(tmp_path)[0][0]
    (lost,) = [each for each in workers if orphan in each.processes()]
    watch = Stopwatch()
    lost.signal(signal.SIGKILL)
    wait_for_runs(tmp_path, "k-4", 2)
    # A lease of 1 s, the check of the other worker, and a busy machine.
    assert watch.within_s(2.5), watch
    wait_until(lambda: not is_alive(orphan), description="the orphan ends after its grace time")
    asker.answers("sleep", "k-4")
    assert runs_of(tmp_path, "k-4") == 2


def test_an_idle_process_ends_with_its_supervisor(start_worker: StartWorker) -> None:
    """Nothing is left behind that nobody looks after."""
    worker = start_worker("--processes", "2")
    pids = worker.processes()
    worker.signal(signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)), description="both have ended")


def test_a_task_over_its_time_fails(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """Its process is killed and replaced; asking goes on to be answered."""
    worker = start_worker()
    (answer,) = asker.answers("limited", "k-20")
    assert answer["error"]["code"] == "timed-out"
    assert "0.5 s" in answer["error"]["detail"]
    assert runs_of(tmp_path, "k-20") == 1
    assert asker.answers("noop", "a") == [{"key": "a", "answer": "A"}]
    task_id = asker.task("limited", "k-20").id
    told = f"is killed: a batch ran over its time limit, task={task_id} type=limited"
    assert told in worker.log()


def test_a_batch_over_its_time_is_retried_one_by_one(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """Nobody knows which input was slow, until each ran alone."""
    asker.ask("limited", "a-20", "b-20", "c-20")
    start_worker()
    answers = asker.answers("limited", "a-20", "b-20", "c-20")
    assert [each["error"]["code"] for each in answers] == ["timed-out"] * 3
    batches = runs(tmp_path)
    together = [batch for batch in batches if len(batch) > 1]
    assert len(together) <= 1
    assert all(runs_of(tmp_path, f"{key}-20") <= 2 for key in "abc")


def test_cancelling_a_running_task_stops_it(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """Within seconds, and without retrying it."""
    worker = start_worker()
    asker.ask("sleep", "k-60")
    wait_for_runs(tmp_path, "k-60", 1)
    (pid,) = worker.processes()
    watch = Stopwatch()
    asker.manager.cancel("sleep", asker.task("sleep", "k-60").id)
    wait_until(lambda: not is_alive(pid), description="its process is stopped")
    assert watch.within_s(3), watch
    assert asker.answers("noop", "a") == [{"key": "a", "answer": "A"}]
    assert asker.state("sleep", "k-60") is State.CANCELLED
    assert runs_of(tmp_path, "k-60") == 1


def test_batch_mates_of_a_cancelled_task_run_again_unharmed(
    tmp_path: Path, settings: Settings, asker: Asker, start_worker: StartWorker
) -> None:
    """They wait again as if nothing had happened: together, and not counted."""
    keys = ["a-0.45", "b-0.45", "c-0.45"]
    asker.ask("limited", *keys)
    start_worker()
    wait_until(lambda: runs(tmp_path), description="a batch runs")
    asker.manager.cancel("limited", asker.task("limited", keys[0]).id)
    answers = asker.answers("limited", *keys[1:])
    assert [each["answer"] for each in answers] == ["B-0.45", "C-0.45"]
    assert asker.state("limited", keys[0]) is State.CANCELLED


def test_a_handler_that_keeps_the_interpreter_runs_once(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """Three leases long; idle workers stand by and do not get it."""
    start_worker("--processes", "2")
    start_worker()
    asker.ask("greedy", "k-3.5")
    assert asker.answers("greedy", "k-3.5") == [{"key": "k-3.5", "answer": "K-3.5"}]
    assert runs_of(tmp_path, "k-3.5") == 1


def test_handlers_that_keep_all_interpreters_run_once(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """The leases of all processes of a worker are renewed. Another one, of whose processes one is
    idle, looks for dead ones."""
    start_worker("--processes", "2")
    start_worker("--processes", "2")
    keys = [f"{name}-3.5" for name in "abc"]
    asker.ask("greedy", *keys)
    assert len(asker.answers("greedy", *keys)) == 3
    assert [runs_of(tmp_path, key) for key in keys] == [1, 1, 1]


@pytest.fixture
def own_redis() -> EmbeddedRedis:
    """A server that a test may kill; it forgets nothing."""
    return EmbeddedRedis(append_only=True)


def test_a_result_survives_an_outage_of_redis(
    tmp_path: Path, settings: Settings, own_redis: EmbeddedRedis, start_worker: StartWorker
) -> None:
    """The task ends while Redis is away; its result is stored afterwards, not computed again."""
    with own_redis:
        settings = dataclasses.replace(settings, redis_url=own_redis.url)
        worker = start_worker(settings=settings)
        asker = Asker(settings)
        asker.ask("sleep", "k-1")
        wait_for_runs(tmp_path, "k-1", 1)
        own_redis.kill()
        wait_for(1.5)  # by then it has long ended
        own_redis.start()
        assert asker.answers("sleep", "k-1") == [{"key": "k-1", "answer": "K-1"}]
        assert runs_of(tmp_path, "k-1") == 1
        assert asker.answers("noop", "a") == [{"key": "a", "answer": "A"}]
        wait_until(lambda: "is back" in worker.log(), description="the supervisor notices")
        assert worker.log().count("is away") == 1
        assert worker.log().count("is back") == 1
        asker.close()
        assert worker.stop() == 0


def test_tasks_claimed_while_redis_hung_are_answered(
    settings: Settings, own_redis: EmbeddedRedis, start_worker: StartWorker
) -> None:
    """A claim whose caller had given up is made when Redis goes on; its tasks must not be lost."""
    with own_redis:
        settings = dataclasses.replace(settings, redis_url=own_redis.url)
        start_worker("--processes", "2", settings=settings)
        asker = Asker(settings)
        keys = [f"k{n}-0.005" for n in range(600)]
        asker.ask("sleep", *keys)
        wait_until(lambda: asker.state("sleep", keys[0]) is State.DONE, description="some are done")
        for hung_s in (1.0, 2.0):
            os.kill(own_redis.pid, signal.SIGSTOP)
            wait_for(hung_s)
            os.kill(own_redis.pid, signal.SIGCONT)
        assert len(asker.answers("sleep", *keys)) == 600
        asker.close()


def test_a_claim_is_made_once_however_late_its_reply(
    settings: Settings, own_redis: EmbeddedRedis
) -> None:
    """A library that repeats it would leave the first one's tasks with nobody."""
    with own_redis:
        asker = Asker(dataclasses.replace(settings, redis_url=own_redis.url))
        asker.ask("noop", *[f"k{n}" for n in range(20)])
        asker.manager.renew({"owner": ["noop"]}, 30)
        assert len(asker.manager.claim("owner", ["noop"], 1)) == 1
        os.kill(own_redis.pid, signal.SIGSTOP)
        timer = threading.Timer(1.0, os.kill, (own_redis.pid, signal.SIGCONT))
        timer.start()
        assert len(asker.manager.claim("owner", ["noop"], 5)) == 5
        timer.join()
        assert asker.manager.load(["noop"])[0].running == 6
        asker.close()


def test_redis_may_come_after_the_worker(
    settings: Settings, own_redis: EmbeddedRedis, start_worker: StartWorker
) -> None:
    """It waits, with one line in its log."""
    with own_redis:
        own_redis.kill()
        settings = dataclasses.replace(settings, redis_url=own_redis.url)
        worker = start_worker(settings=settings, serving=False)
        wait_until(lambda: "is away" in worker.log(), description="it notices")
        own_redis.start()
        worker.wait_until_serving()
        asker = Asker(settings)
        assert asker.answers("noop", "a") == [{"key": "a", "answer": "A"}]
        asker.close()


def test_everything_lost_comes_back_by_asking(
    asker: Asker, start_worker: StartWorker, redis_url: str
) -> None:
    """FLUSHALL in mid-run: the worker goes on and registers again."""
    import redis

    start_worker("--processes", "2")
    keys = [f"k{n}-0.02" for n in range(60)]
    asker.ask("sleep", *keys)
    wait_until(lambda: asker.state("sleep", keys[0]), description="they are there")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    assert len(asker.answers("sleep", *keys)) == 60


def test_a_stopped_worker_that_goes_on_does_no_harm(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """SIGSTOP past its lease: another finishes its task, first result wins, and it serves on."""
    stopped = start_worker()
    asker.ask("sleep", "k-3")
    wait_for_runs(tmp_path, "k-3", 1)
    stopped.signal_all(signal.SIGSTOP)
    other = start_worker()
    (answer,) = asker.answers("sleep", "k-3")
    stopped.signal_all(signal.SIGCONT)
    assert runs_of(tmp_path, "k-3") == 2
    wait_until(lambda: "had ended; it goes on" in stopped.log(), description="it learns of it")
    assert asker.answers("sleep", "k-3") == [answer]
    assert other.stop() == 0
    assert asker.answers("noop", "a") == [{"key": "a", "answer": "A"}]


def test_a_type_that_cannot_be_loaded_later_is_tried_again(
    tmp_path: Path, settings: Settings, start_worker: StartWorker
) -> None:
    """A running worker does not end because a disk is away for a moment."""
    settings = dataclasses.replace(settings, tasks="tests.worker.broken_tasks")
    broken_while = tmp_path / "broken"
    worker = start_worker(settings=settings, environment={"BROKEN_WHILE": str(broken_while)})
    broken_while.touch()
    os.kill(worker.processes()[0], signal.SIGKILL)
    wait_until(lambda: "exited with 3" in worker.log(), description="loading fails")
    broken_while.unlink()
    asker = Asker(settings)
    assert asker.answers("broken", "a") == [{"key": "a", "answer": "a"}]
    asker.close()


def test_a_drain_without_redis_ends(
    settings: Settings, own_redis: EmbeddedRedis, start_worker: StartWorker
) -> None:
    """Claims then come back when the lease is over."""
    with own_redis:
        settings = dataclasses.replace(settings, redis_url=own_redis.url, grace_s=1.0)
        worker = start_worker(settings=settings)
        own_redis.kill()
        assert worker.stop(timeout_s=10) == 0
        own_redis.start()
