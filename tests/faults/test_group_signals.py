"""A signal to all processes of a program at once: it drains, and ends with 0.

systemd (`KillMode=control-group`), `timeout`, `tini -g` and a terminal's Ctrl-C signal them so.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from doneyet.local.embedded_redis import EmbeddedRedis
from tests.faults.conftest import children_of
from tests.helpers import wait_until
from tests.http.servers import ROOT, free_port, is_live

TASKS = "factorization,tests.http.task_types"
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program; its log is the file `log`."""
    started: list[subprocess.Popen[str]] = []
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DONEYET_")}

    def begin(*command: str, **settings: str) -> subprocess.Popen[str]:
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command, "--tasks", TASKS],
                cwd=ROOT,
                env={**environment, "DONEYET_GRACE_S": "5", **settings},
                stderr=log,
                text=True,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            for pid in everyone(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.wait(10)


def everyone(pid: int) -> list[int]:
    """A process and all that descend from it, in whatever group or session."""
    return [pid, *(each for child in children_of(pid) for each in everyone(child))]


def signal_everyone(process: subprocess.Popen[str], number: int, *, last_first: bool) -> None:
    pids = everyone(process.pid)
    for pid in reversed(pids) if last_first else pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@pytest.mark.parametrize(
    ("queue_mode", "number", "times", "last_first"),
    [
        ("random", signal.SIGTERM, 1, True),
        ("random", signal.SIGINT, 2, False),
        ("synchronous", signal.SIGTERM, 2, True),
        ("synchronous", signal.SIGINT, 1, False),
        ("random", signal.SIGHUP, 2, False),
        ("synchronous", signal.SIGHUP, 1, True),
    ],
)
def test_a_server(
    start: Start, tmp_path: Path, queue_mode: str, number: int, times: int, last_first: bool
) -> None:
    """Drains, with nothing to complain about."""
    port = free_port()
    process = start("http_server", "--queue-mode", queue_mode, "--port", str(port))
    wait_until(lambda: is_live(f"http://127.0.0.1:{port}"), description="it is live", timeout_s=30)
    for _ in range(times):
        signal_everyone(process, number, last_first=last_first)
    assert process.wait(20) == 0
    log = (tmp_path / "log").read_text()
    assert "Unexpected exit" not in log
    assert "Traceback" not in log


def test_it_drains(start: Start) -> None:
    """For a moment it still takes connections, and says that it is not ready."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start("http_server", "--synchronous", "--port", str(port))
    wait_until(lambda: is_live(url), description="it is live", timeout_s=30)
    signal_everyone(process, signal.SIGTERM, last_first=True)
    wait_until(
        lambda: requests.get(f"{url}/readyz", timeout=5).status_code == 503,
        description="it says that it drains",
    )
    assert requests.get(f"{url}/readyz", timeout=5).status_code == 503
    assert process.wait(20) == 0


def test_a_server_process_leaves_signals_to_its_parent(start: Start) -> None:
    """One that comes to it alone ends nothing."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start("http_server", "--synchronous", "--port", str(port))
    wait_until(lambda: is_live(url), description="it is live", timeout_s=30)
    (serving,) = (pid for pid in children_of(process.pid) if children_of(pid))
    os.kill(serving, signal.SIGTERM)
    ends_s = time.monotonic() + 2
    while time.monotonic() < ends_s:
        assert requests.get(f"{url}/readyz", timeout=5).ok
    assert serving in children_of(process.pid)
    process.terminate()
    assert process.wait(20) == 0


def test_nohup_keeps_a_server(start: Start) -> None:
    """Who starts it so wants it to outlive the terminal."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as programs inherit it
    try:
        process = start("http_server", "--synchronous", "--port", str(port))
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_until(lambda: is_live(url), description="it is live", timeout_s=30)
    pids = everyone(process.pid)
    signal_everyone(process, signal.SIGHUP, last_first=False)
    assert requests.post(f"{url}/factorize", json={"number": 6}, timeout=10).ok
    assert requests.get(f"{url}/readyz", timeout=5).ok
    assert everyone(process.pid) == pids
    process.terminate()
    assert process.wait(20) == 0


def test_the_end_of_a_draining_process_is_expected(start: Start, tmp_path: Path) -> None:
    """However it comes."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start("http_server", "--synchronous", "--port", str(port))
    wait_until(lambda: is_live(url), description="it is live", timeout_s=30)
    (serving,) = (pid for pid in children_of(process.pid) if children_of(pid))
    process.terminate()
    with contextlib.suppress(requests.ConnectionError):  # a busy machine was slower
        wait_until(
            lambda: requests.get(f"{url}/readyz", timeout=5).status_code == 503,
            description="it drains",
        )
    with contextlib.suppress(ProcessLookupError):
        os.kill(serving, signal.SIGKILL)
    assert process.wait(20) == 0
    assert "Unexpected exit" not in (tmp_path / "log").read_text()


def test_what_runs_may_finish(start: Start) -> None:
    """Also in the synchronous queue mode's process, which is signalled with the others."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = start("http_server", "--synchronous", "--port", str(port))
    wait_until(lambda: is_live(url), description="it is live", timeout_s=30)
    answers: list[Any] = []
    asking = threading.Thread(
        target=lambda: answers.append(
            requests.post(f"{url}/sleep", json={"seconds": 1.5}, timeout=20).json()
        )
    )
    asking.start()
    wait_until(
        lambda: requests.get(f"{url}/load", timeout=5).json()["load"] == 1,
        description="the task runs",
    )
    signal_everyone(process, signal.SIGTERM, last_first=True)
    asking.join()
    assert answers == [{"seconds": 1.5, "slept": True}]
    assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("queue_mode", "number", "times"),
    [
        ("random", signal.SIGTERM, 2),
        ("random", signal.SIGHUP, 2),
        ("distributed", signal.SIGINT, 1),
        ("ordered", signal.SIGHUP, 1),
        ("rq", signal.SIGTERM, 1),
        ("rq", signal.SIGINT, 2),
        ("rq", signal.SIGHUP, 2),
    ],
)
def test_a_worker(
    start: Start,
    redis_server: EmbeddedRedis,
    tmp_path: Path,
    queue_mode: str,
    number: int,
    times: int,
) -> None:
    """So do worker processes, RQ's workers among them."""
    process = start(
        *("worker", "--queue-mode", queue_mode, "--processes", "2"),
        DONEYET_REDIS_URL=redis_server.url,
    )
    log = tmp_path / "log"
    wait_until(lambda: "serve " in log.read_text(), description="it serves", timeout_s=30)
    wait_until(lambda: len(everyone(process.pid)) >= 3, description="its processes are there")
    for _ in range(times):
        signal_everyone(process, number, last_first=False)
    assert process.wait(20) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_server_that_is_just_starting(start: Start, tmp_path: Path, number: int) -> None:
    """As soon as its process is forked, which has not loaded the application yet."""
    port = free_port()
    process = start("http_server", "--synchronous", "--port", str(port))
    wait_until(lambda: len(everyone(process.pid)) > 1, description="it has forked", timeout_s=30)
    signal_everyone(process, number, last_first=True)
    assert process.wait(20) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("queue_mode", ["random", "rq"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_worker_that_is_just_starting(
    start: Start, redis_server: EmbeddedRedis, tmp_path: Path, queue_mode: str, number: int
) -> None:
    """As soon as its processes are there, which have not loaded anything yet."""
    process = start("worker", "--queue-mode", queue_mode, DONEYET_REDIS_URL=redis_server.url)
    wait_until(lambda: len(everyone(process.pid)) > 1, description="one is there", timeout_s=30)
    signal_everyone(process, number, last_first=True)
    assert process.wait(20) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
