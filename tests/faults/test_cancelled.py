"""A task that somebody cancels while requests are held for it: each of them is told so."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from doneyet.local.system import System
from tests.faults.fault_tasks import RUNS
from tests.helpers import wait_until

HELD_S = 20
HOLDERS = 4


class Desk:
    """A system of one worker process, which takes 3 s for each task of `long`."""

    def __init__(self, system: System, runs: Path, pool: ThreadPoolExecutor) -> None:
        self._url, self._runs, self._pool = system.url, runs, pool

    def hold(self, body: Any) -> Future[Any]:
        """The answer to a request that is held until there is one."""
        return self._pool.submit(self.ask, body, HELD_S)

    def ask(self, body: Any, wait_s: int = 0) -> Any:
        """The answer to one request."""
        headers = {"Prefer": f"wait={wait_s}"}
        url = f"{self._url}/long"
        return requests.post(url, json=body, headers=headers, timeout=wait_s + 30).json()

    def load(self) -> int:
        """How many tasks wait or run."""
        told: int = requests.get(f"{self._url}/load/long", timeout=10).json()["load"]
        return told

    def runs(self, n: int) -> int:
        """How often `n` began to run."""
        text = self._runs.read_text() if self._runs.exists() else ""
        return [line.split()[0] for line in text.splitlines()].count(str(n))

    def cancel(self, n: int) -> None:
        """Somebody cancels a task that waits or runs."""
        task_id = self.ask({"n": n})["id"]
        told = requests.delete(f"{self._url}/tasks/{task_id}", timeout=10).json()
        assert told["status"] == "cancelled"


@pytest.fixture(scope="module", params=["random", "distributed", "ordered", "rq"])
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """One of each queue mode."""
    runs = tmp_path_factory.mktemp("cancelled") / "runs"
    settings = {"DONEYET_TASKS": "tests.faults.fault_tasks", RUNS: str(runs)}
    settings["DONEYET_LOG_LEVEL"] = "warning"
    with (
        System(queue_mode=request.param, settings=settings, processes=1) as system,
        ThreadPoolExecutor(HOLDERS) as pool,
    ):
        yield Desk(system, runs, pool)


def assert_cancelled(answer: Any) -> None:
    """It is the whole answer of a cancelled task."""
    assert (answer["status"], answer["done"], answer["square"]) == ("cancelled", True, None)
    assert answer["error"] == {"code": "cancelled", "detail": "somebody cancelled this task"}


def test_who_is_held_for_a_running_task(desk: Desk) -> None:
    """Hears it, and does not have it run again; whoever submits it later is answered."""
    held = desk.hold({"n": 1})
    wait_until(lambda: desk.runs(1) == 1, description="the task runs")
    desk.cancel(1)
    assert_cancelled(held.result(10))
    assert desk.load() == 0
    wait_until(lambda: desk.ask({"n": 1})["square"] == 1, description="it is answered after all")


def test_who_is_held_for_waiting_tasks(desk: Desk) -> None:
    """Several requests for one task, and each for one of its own: all hear of both."""
    shared, *own = range(10, 11 + HOLDERS)
    held = [desk.hold([{"n": shared}, {"n": n}]) for n in own]
    wait_until(lambda: desk.load() == 1 + HOLDERS, description="all are held")
    for n in (shared, *own):
        desk.cancel(n)
    for answers in (each.result(10) for each in held):
        assert len(answers) == 2
        for answer in answers:
            assert_cancelled(answer)
    assert desk.load() == 0
