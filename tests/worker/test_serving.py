"""`python -m worker` from its start to an orderly end."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from pathlib import Path

import pytest

from doneyet.settings import Settings
from task_manager.values import State
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch
from tests.worker.conftest import StartWorker
from tests.worker.running_worker import Asker, RunningWorker, runs, runs_of


@pytest.mark.parametrize("queue_mode", ["random", "distributed", "ordered"])
def test_it_answers_what_is_asked_and_ends_on_sigterm(
    queue_mode: str, settings: Settings, start_worker: StartWorker
) -> None:
    """In each of these queue modes; one line tells what it serves."""
    settings = dataclasses.replace(settings, queue_mode=queue_mode)
    worker = start_worker("--processes", "2", settings=settings)
    asker = Asker(settings)
    keys = [f"k{n}" for n in range(300)]
    assert [each["answer"] for each in asker.answers("noop", *keys)] == [k.upper() for k in keys]
    asker.close()
    assert worker.stop() == 0
    assert worker.log().count("2 worker processes serve") == 1
    assert f"({queue_mode}) at unix://" in worker.log()


def test_a_distributed_worker_serves_the_types_it_is_told_to(
    settings: Settings, start_worker: StartWorker
) -> None:
    """The others wait for theirs."""
    settings = dataclasses.replace(settings, queue_mode="distributed")
    start_worker("--types", "noop,picky", settings=settings)
    asker = Asker(settings)
    asker.ask("noop/batched", "a")
    assert asker.answers("noop", "a") == [{"key": "a", "answer": "A"}]
    assert asker.state("noop/batched", "a") is State.WAITING
    asker.close()


def test_an_idle_worker_answers_within_milliseconds(
    asker: Asker, start_worker: StartWorker
) -> None:
    """From submit to answer; the median, on a machine that has other things to do."""
    start_worker()
    asker.answers("noop", "first")
    took_s = []
    watch = Stopwatch()
    for n in range(30):
        began_s = time.monotonic()
        asker.ask("noop", f"k{n}")
        while asker.state("noop", f"k{n}") is not State.DONE:
            assert time.monotonic() < began_s + 5
        took_s.append(time.monotonic() - began_s)
    assert watch.within_s(0.02, took_s=sorted(took_s)[15]), watch


def test_one_bad_input_does_not_fail_its_batch(asker: Asker, start_worker: StartWorker) -> None:
    """The batch is split until the guilty one is alone."""
    keys = [f"k{n}" for n in range(7)]
    asker.ask("picky", *keys, "bad")
    start_worker()
    *good, bad = asker.answers("picky", *keys, "bad")
    assert [each["answer"] for each in good] == [key.upper() for key in keys]
    assert bad["error"]["code"] == "task-failed"
    assert bad["key"] == "bad"


def test_progress_shows_while_a_task_runs(asker: Asker, start_worker: StartWorker) -> None:
    """A thousand reports in two seconds become a few."""
    start_worker()
    asker.ask("reporting", "k-2")
    seen: set[tuple[float, str]] = set()

    def terminal() -> bool:
        status = asker.ask("reporting", "k-2")[0]
        if status.progress is not None:
            seen.add(status.progress)
        return status.state.terminal

    wait_until(terminal, description="it is done")
    assert 3 <= len(seen) <= 10
    assert all(message == f"k-2 at {round(part * 1000)}" for part, message in seen)


def test_a_batch_waits_for_more(tmp_path: Path, asker: Asker, start_worker: StartWorker) -> None:
    """Inputs that come within `batch_wait_ms` of the first run together."""
    start_worker()
    asker.ask("gathered", "a")
    wait_until(lambda: asker.state("gathered", "a") is State.RUNNING, description="it is claimed")
    asker.ask("gathered", "b", "c")
    asker.answers("gathered", "a", "b", "c")
    assert [sorted(batch) for batch in runs(tmp_path)] == [["a", "b", "c"]]


def test_quick_tasks_are_not_stuck_behind_a_long_one(
    asker: Asker, start_worker: StartWorker
) -> None:
    """A process that claimed both gives the quick ones back to the idle process."""
    start_worker("--processes", "2", "--grace-s", "0.1")
    asker.answers("noop", *[f"k{n}" for n in range(500)])  # it claims many at once by now
    asker.ask("sleep", "long-20")
    asker.wait_for_state("sleep", "long-20", State.RUNNING)
    quick = [f"q{n}-0.001" for n in range(100)]
    watch = Stopwatch()
    asker.answers("sleep", *quick)
    assert watch.within_s(2.5), watch
    assert asker.state("sleep", "long-20") is State.RUNNING


def test_a_drain_finishes_what_runs_and_gives_back_the_rest(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """Nothing is lost and nothing runs twice."""
    worker = start_worker()
    asker.ask("sleep", "running-1")
    asker.wait_for_state("sleep", "running-1", State.RUNNING)
    waiting = [f"w{n}-0" for n in range(20)]
    asker.ask("sleep", *waiting)
    assert worker.stop() == 0
    assert asker.state("sleep", "running-1") is State.DONE
    assert {asker.state("sleep", key) for key in waiting} == {State.WAITING}
    assert runs(tmp_path) == [["running-1"]]
    assert asker.manager.load(["sleep"])[0].workers == 0


def test_what_does_not_finish_in_the_grace_time_waits_again(
    asker: Asker, start_worker: StartWorker
) -> None:
    """It is not suspect: it did nothing wrong."""
    worker = start_worker("--grace-s", "0.3")
    asker.ask("sleep", "long-20")
    asker.wait_for_state("sleep", "long-20", State.RUNNING)
    watch = Stopwatch()
    assert worker.stop() == 0
    assert watch.within_s(3), watch
    status = asker.manager.status("sleep", asker.task("sleep", "long-20").id)
    assert status is not None
    assert (status.state, status.attempts) == (State.WAITING, 0)


def test_a_second_signal_stops_at_once(asker: Asker, start_worker: StartWorker) -> None:
    """As a person does who presses Ctrl-C twice."""
    worker = start_worker()
    asker.ask("sleep", "long-20")
    asker.wait_for_state("sleep", "long-20", State.RUNNING)
    worker.signal(signal.SIGINT)
    wait_until(lambda: "stopping" in worker.log(), description="it drains")
    assert worker.program.poll() is None
    watch = Stopwatch()
    assert worker.stop() == 0
    assert watch.within_s(3), watch
    assert asker.state("sleep", "long-20") is State.WAITING


def test_a_closed_terminal_drains(asker: Asker, start_worker: StartWorker) -> None:
    """SIGHUP, however often: what runs may finish."""
    worker = start_worker()
    asker.ask("sleep", "k-2")
    asker.wait_for_state("sleep", "k-2", State.RUNNING)
    worker.signal(signal.SIGHUP)
    wait_until(lambda: "stopping" in worker.log(), description="it drains")
    worker.signal(signal.SIGHUP)
    assert worker.program.wait(20) == 0
    assert asker.state("sleep", "k-2") is State.DONE


def test_nohup_keeps_a_worker(asker: Asker, start_worker: StartWorker) -> None:
    """Who starts it so wants it to outlive the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as programs inherit it
    try:
        worker = start_worker()
    finally:
        signal.signal(signal.SIGHUP, before)
    worker.signal(signal.SIGHUP)
    assert asker.answers("noop", "a") == [{"key": "a", "answer": "A"}]
    assert "stopping" not in worker.log()
    assert worker.stop() == 0


def test_a_signal_to_a_worker_process_changes_nothing(
    asker: Asker, start_worker: StartWorker
) -> None:
    """A terminal sends its signals to all; the supervisor alone decides."""
    worker = start_worker()
    (pid,) = worker.processes()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert asker.answers("noop", "a") == [{"key": "a", "answer": "A"}]
    assert worker.processes() == [pid]


def refused(
    settings: Settings, folder: Path, *arguments: str, **environment: str
) -> tuple[int, str]:
    """The exit code and the log of a worker that cannot start."""
    with RunningWorker(settings, folder, arguments, environment) as worker:
        return worker.program.wait(20), worker.log()


def test_a_type_that_cannot_be_loaded_stops_the_start(settings: Settings, tmp_path: Path) -> None:
    """One line names the type and the reason."""
    settings = dataclasses.replace(settings, tasks="tests.worker.broken_tasks")
    code, log = refused(settings, tmp_path, BROKEN_WHILE=str(tmp_path))
    assert code == 1
    assert "task type broken cannot be loaded: OSError: the weights are not there" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--distributed", "--types", "nope"], "there is no task type 'nope'"),
        (["--types", "noop"], "--types needs --distributed"),
        (["--queue-mode", "synchronous"], "a thread of the HTTP server"),
        (["--tasks", "no.such.module"], "no.such.module"),
        (["--processes", "many"], "must be a whole number, or a range such as 0..4, not 'many'"),
        (["--rq", "--processes", "0..2"], "must be a whole number in the rq queue mode, not 0..2"),
    ],
)
def test_a_wrong_command_line_is_refused_in_a_sentence(
    arguments: list[str], sentence: str, settings: Settings, tmp_path: Path
) -> None:
    """Exit code 2, and no stack trace."""
    code, log = refused(settings, tmp_path, *arguments)
    assert code == 2
    assert sentence in log
    assert "Traceback" not in log


def test_the_redis_password_is_never_logged(settings: Settings, tmp_path: Path) -> None:
    """Not even when Redis cannot be reached."""
    settings = dataclasses.replace(settings, redis_url="redis://:hunter2@127.0.0.1:1/0")
    with RunningWorker(settings, tmp_path) as worker:
        wait_until(lambda: "is away" in worker.log(), description="it says that Redis is away")
        assert worker.stop() == 0
        assert "hunter2" not in worker.log()
        assert "***@127.0.0.1:1" in worker.log()


def test_runs_are_counted(tmp_path: Path, asker: Asker, start_worker: StartWorker) -> None:
    """Submitting again for a finished task does not run it again."""
    start_worker()
    for _ in range(3):
        asker.answers("sleep", "k-0")
    assert runs_of(tmp_path, "k-0") == 1
