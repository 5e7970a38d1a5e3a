"""Handlers that die, hold on, or are stopped; and tasks that nobody asks about any more."""

from __future__ import annotations

import signal
from collections import Counter

import requests

from doneyet.client.errors import TaskFailedError
from tests.faults.conftest import StartSystem, signal_each
from tests.helpers import wait_until


def test_deadly_input_fails_and_its_mates_are_answered(start_system: StartSystem) -> None:
    """It is tried three times in all, then fails saying so; nobody else suffers."""
    running = start_system(processes=1)
    numbers = [1, 2, 3, -1, 4, 5, 6]
    answers = running.poll("deadly", numbers).wait()
    failed = answers[3]
    assert isinstance(failed, TaskFailedError)
    assert failed.code == "crashed"
    good = [answer["square"] for answer in answers[:3] + answers[4:]]
    assert good == [n**2 for n in numbers if n > 0]
    assert running.runs[-1] == 3
    assert all(running.runs[n] <= 2 for n in numbers if n > 0)


def test_handler_that_holds_the_interpreter_runs_once(start_system: StartSystem) -> None:
    """Its supervisor renews the lease, more than three times over, while another worker is idle."""
    running = start_system(processes=2)
    running.poll("stubborn", [3]).assert_all_right()
    assert running.runs == {3: 1}


def test_stopped_worker_goes_on_after_its_lease(start_system: StartSystem) -> None:
    """Paused past its lease, it loses its task; two finish it, and there is one result."""
    running = start_system(processes=1)
    first = running.system.worker
    assert first is not None
    polling = running.poll("long", [5])
    running.wait_for_runs(1)
    paused = running.worker_processes(first)
    signal_each(paused, signal.SIGSTOP)
    running.system.worker = None
    running.system.start_worker()
    wait_until(lambda: running.runs[5] == 2, description="another worker took over", timeout_s=15)
    signal_each(paused, signal.SIGCONT)
    polling.assert_all_right()
    url = f"{running.system.url}/long"
    bodies = {requests.post(url, json={"n": 5}, timeout=5).content for _ in range(20)}
    assert len(bodies) == 1
    load = requests.get(f"{running.system.url}/load/long", timeout=5).json()
    assert (load["waiting"], load["running"]) == (0, 0)
    assert running.runs == {5: 2}
    first.stop()


def test_abandoned_tasks_never_run(start_system: StartSystem) -> None:
    """A thousand tasks that nobody asks about past their ttl: no run, no load."""
    running = start_system(processes=1, DONEYET_INPUT_TTL_S="1")
    worker = running.system.worker
    assert worker is not None
    worker.stop()
    inputs = [{"n": n} for n in range(1000)]
    answers = requests.post(f"{running.system.url}/slow", json=inputs, timeout=10).json()
    assert Counter(answer["status"] for answer in answers) == {"waiting": 1000}
    wait_until(
        lambda: requests.get(f"{running.system.url}/load/slow", timeout=5).json()["load"] == 0,
        description="nobody wants them any more",
    )
    running.system.start_worker()
    polling = running.poll("slow", [5000])
    polling.assert_all_right()
    assert running.runs == {5000: 1}
