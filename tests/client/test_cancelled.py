"""A client that waits for a task which somebody else cancels."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from doneyet.client import Client, TaskCancelledError
from doneyet.local.system import System
from tests.helpers import wait_until

FAILED = 1


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """One worker process, whose task takes 3 s."""
    with System(processes=1, settings={"DONEYET_TASKS": "tests.client.slow_tasks"}) as running:
        yield running


def cancelled_meanwhile(system: System, number: int, asks: Callable[[], Any]) -> Any:
    """What `asks` comes to, which asks for `number`; somebody cancels that while it runs."""
    with ThreadPoolExecutor(1) as pool, Client(system.url) as other:
        asking = pool.submit(asks)
        wait_until(lambda: other.load()["running"] == 1, description="the task runs")
        other.cancel(other.ask("steps", number=number)["id"])
        return asking.result(20)


def test_run_raises(system: System) -> None:
    """It does not run the task again."""
    with Client(system.url) as client:

        def run() -> None:
            with pytest.raises(TaskCancelledError, match="cancelled"):
                client.run("steps", number=1, timeout_s=15)

        cancelled_meanwhile(system, 1, run)
        assert client.load()["load"] == 0


def test_map_tells_which(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it tells of any task that failed. It hears of it while its request is held; one that comes
    a moment later is a new submit, so here the first is held for as long as it takes."""
    monkeypatch.setattr("doneyet.client.bulk.FIRST_WAIT_S", 20.0)
    with Client(system.url) as client:

        def ask() -> list[Any]:
            return client.map("steps", [{"number": 2}], errors="return", timeout_s=15)

        (told,) = cancelled_meanwhile(system, 2, ask)
        assert isinstance(told, TaskCancelledError)


def test_the_command_says_so(system: System) -> None:
    """On standard error, with the exit code of a task that failed."""
    command = [sys.executable, "-m", "doneyet", "ask", "--url", system.url, "steps", "number=3"]

    def ask() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=40)

    asked = cancelled_meanwhile(system, 3, ask)
    assert (asked.returncode, asked.stdout) == (FAILED, "")
    assert "the task was cancelled" in asked.stderr
