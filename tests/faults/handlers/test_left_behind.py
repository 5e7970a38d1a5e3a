"""Whoever is killed, nothing that a handler does or started goes on for ever."""

from __future__ import annotations

import os
import signal

import pytest
import requests

from tests.faults.conftest import children_of
from tests.faults.handlers.test_misbehaving import Misbehaving, Start, start_one, wait_until_ended

__all__ = ["start_one"]


def kill_supervisor(running: Misbehaving) -> None:
    """SIGKILL: it can tell nobody."""
    assert running.system.worker is not None
    os.kill(running.system.worker.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("mode", "do"),
    [("random", "compute"), ("random", "never let go"), ("distributed", "take signals")],
)
def test_a_run_without_a_supervisor_ends(mode: str, do: str, start_one: Start) -> None:
    """After the grace time, also where it computes, keeps the interpreter or takes all signals."""
    running = start_one(mode, processes=1)
    if do == "take signals":
        running.answer(do=do)
        do = "hold"
    running.ask({"do": do, "seconds": 600})
    pid = running.wait_until_running(do)
    kill_supervisor(running)
    wait_until_ended(pid)


@pytest.mark.parametrize("mode", ["distributed", "rq"])
@pytest.mark.parametrize("seconds", [0, 600])
def test_sessions_end_with_a_killed_supervisor(mode: str, seconds: int, start_one: Start) -> None:
    """What a handler started in a session of its own, be that handler over or not."""
    running = start_one(mode, processes=1)
    running.ask({"do": "spawn a session", "seconds": seconds})
    started = running.wait_for_children(1)
    kill_supervisor(running)
    wait_until_ended(*started, *running.running("spawn a session"))


def test_sessions_end_with_an_rq_worker(start_one: Start) -> None:
    """As those of other worker processes do: when it is told to end, and when it is killed."""
    running = start_one("rq", processes=1)
    running.answer(do="spawn a session")
    (first,) = running.wait_for_children(1)
    os.kill(running.running("spawn a session")[0], signal.SIGKILL)
    wait_until_ended(first)
    running.answer(do="spawn a session", n=2)
    *_, second = running.wait_for_children(2)
    assert running.system.worker is not None
    running.system.worker.stop()
    wait_until_ended(second)


def test_a_copy_of_an_rq_worker_ends(start_one: Start) -> None:
    """A handler that forks and returns twice has one answer, and one worker."""
    running = start_one("rq", processes=1)
    assert running.answer(do="fork and return", n=3)["square"] == 9
    wait_until_ended(*(pid for pid in running.wait_for_children(1) if pid))
    assert running.answer(n=4)["square"] == 16


def test_an_rq_worker_with_a_thread_left_behind_ends(start_one: Start) -> None:
    """When it is told to, and not when the thread ends."""
    running = start_one("rq", processes=1)
    running.answer(do="leave a thread", seconds=600)
    (pid,) = running.running("leave a thread")
    os.kill(pid, signal.SIGTERM)  # as its supervisor does, which would kill it in the end
    wait_until_ended(pid)


def test_sessions_end_with_the_killed_process_of_a_server(start_one: Start) -> None:
    """The one that runs tasks in the synchronous queue mode ends at once, and what it started."""
    running = start_one("synchronous")
    url = f"{running.system.url}/misbehaving"
    assert requests.post(url, json={"do": "spawn a session"}, timeout=60).ok
    started = running.wait_for_children(1)
    assert running.system.http_server is not None
    serving = children_of(running.system.http_server.pid)
    for pid in serving:
        os.kill(pid, signal.SIGKILL)
    wait_until_ended(*started, *serving, *running.running("spawn a session"))
