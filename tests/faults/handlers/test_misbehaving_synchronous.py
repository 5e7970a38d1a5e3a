"""Handlers that misbehave in the synchronous queue mode: the server answers, whatever they do."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from doneyet.local.system import System
from tests.faults.conftest import children_of
from tests.faults.handlers.misbehaving_tasks import FOLDER
from tests.faults.handlers.test_misbehaving import Misbehaving, is_alive, wait_until_ended
from tests.stopwatch import Stopwatch


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Misbehaving]:
    """A server that runs tasks itself."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    settings = {"DONEYET_TASKS": "tests.faults.handlers.misbehaving_tasks"}
    with System(queue_mode="synchronous", settings=settings, grace_s=1) as system:
        yield Misbehaving(system, tmp_path)


def post(running: Misbehaving, of: str = "misbehaving", **ask: Any) -> Any:
    """The answer, which comes in the same request."""
    return requests.post(f"{running.system.url}/{of}", json=ask, timeout=60).json()


def begin(running: Misbehaving, **ask: Any) -> threading.Thread:
    """Asks in a thread; returns when it runs."""

    def quietly() -> None:
        with contextlib.suppress(requests.RequestException):  # the server may be ended meanwhile
            post(running, **ask)

    thread = threading.Thread(target=quietly)
    thread.start()
    running.wait_until_running(ask["do"])
    return thread


def test_health_answers_beside_what_does_not_let_go(running: Misbehaving) -> None:
    """Neither a handler that holds the interpreter nor one that is stopped stops the server."""
    thread = begin(running, do="hold", seconds=6)
    watch = Stopwatch()
    for path in ("healthz", "readyz", "load/misbehaving"):
        assert requests.get(f"{running.system.url}/{path}", timeout=5).ok
    assert watch.within_s(3), watch
    assert thread.is_alive(), "it ran meanwhile"
    thread.join()


@pytest.mark.parametrize("do", ["hold", "stop", "spawn", "fork"])
def test_the_time_limit_holds(do: str, running: Misbehaving) -> None:
    """Of what holds the interpreter or stops its process; what it started ends with it."""
    answer = post(running, of="misbehaving-limited", do=do, seconds=60)
    assert answer["error"]["code"] == "timed-out"
    wait_until_ended(*running.running(do), *running.children())
    assert post(running, n=3)["square"] == 9


@pytest.mark.parametrize("do", ["exit", "segfault", "kill", "spawn and die", "fork and die"])
def test_a_crash_is_a_failed_task(do: str, running: Misbehaving) -> None:
    """The server goes on, and the next task is answered by a new process."""
    assert post(running, do=do)["error"]["code"] == "crashed"
    wait_until_ended(*running.children())
    assert post(running, n=4)["square"] == 16


@pytest.mark.parametrize("do", ["raise SystemExit", "close output", "leave a thread", "nan"])
def test_the_next_is_answered(do: str, running: Misbehaving) -> None:
    """Also by the same process."""
    post(running, do=do, seconds=60)
    (pid,) = running.running(do)
    assert post(running, n=5)["square"] == 25
    assert running.running("answer")[-1] == pid


@pytest.mark.parametrize("do", ["hold", "fork"])
def test_cancelling_ends_the_run(do: str, running: Misbehaving) -> None:
    """So that the next task does not wait for it; a copy of the process keeps nobody waiting."""
    thread = begin(running, do=do, seconds=60)
    (task_id,) = running_ids(do)
    assert requests.delete(f"{running.system.url}/tasks/{task_id}", timeout=10).ok
    thread.join(20)
    assert not thread.is_alive()
    assert post(running, n=6)["square"] == 36


def test_the_end_of_the_server_is_the_end_of_all(running: Misbehaving) -> None:
    """After SIGTERM and the grace time, whatever holds the interpreter."""
    thread = begin(running, do="hold", seconds=60)
    server = running.system.http_server
    assert server is not None
    watch = Stopwatch()
    server.stop()
    assert watch.within_s(12), watch
    thread.join()
    wait_until_ended(*running.running("hold"))


def test_a_killed_server_leaves_no_process_behind(running: Misbehaving) -> None:
    """Neither its own process nor the one that runs tasks."""
    thread = begin(running, do="hold", seconds=60)
    assert running.system.http_server is not None
    pids = [running.system.http_server.pid, *children_of(running.system.http_server.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    thread.join()
    wait_until_ended(*pids, *running.running("hold"))
    assert not any(map(is_alive, pids))


def running_ids(do: str) -> list[str]:
    """The ids of what runs, as clients compute them: of the one input that `begin` asked."""
    from tests.faults.handlers.misbehaving_tasks import Input
    from tests.faults.handlers.misbehaving_tasks import Misbehaving as Kind

    kind = Kind()
    return [kind.task_id(kind.canonical(Input(do=do, seconds=60)))]
