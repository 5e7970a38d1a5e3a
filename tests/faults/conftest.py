"""A whole system with a Redis of its own that may be killed, and polling clients."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from doneyet.client import Client
from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.managed_process import Part
from doneyet.local.system import System
from tests.conftest import wait_until_all_keys_expire
from tests.faults.fault_tasks import RUNS
from tests.helpers import wait_until

LEASE_S = 1.0
SETTINGS = {
    "DONEYET_TASKS": "tests.faults.fault_tasks",
    "DONEYET_LEASE_S": str(LEASE_S),
    "DONEYET_INPUT_TTL_S": "15",
    "DONEYET_LOG_LEVEL": "warning",
}


class Polling:
    """A client that maps inputs in a thread, as users do, and never gives up."""

    def __init__(self, url: str, endpoint: str, numbers: list[int]) -> None:
        self.answers: list[Any] = []
        self.numbers = numbers
        self._client = Client(url, patience_s=30, wait_s=5)
        self._endpoint = endpoint
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        inputs = [{"n": n} for n in self.numbers]
        self.answers = self._client.map(
            self._endpoint, inputs, errors="return", progress=False, timeout_s=50
        )

    def wait(self) -> list[Any]:
        """All answers, in order; each either the square or an error."""
        self._thread.join(55)
        assert not self._thread.is_alive(), "not every polled task was answered"
        self._client.close()
        return self.answers

    def assert_all_right(self) -> None:
        """Every number's square came back."""
        answers = self.wait()
        wrong = [a for a in answers if not isinstance(a, dict)]
        assert not wrong, wrong
        assert [answer["square"] for answer in answers] == [n**2 for n in self.numbers]


class FaultSystem:
    """The system under test, and what was run in it."""

    def __init__(self, system: System, redis: EmbeddedRedis, runs_file: Path) -> None:
        self.system, self.redis, self._runs_file = system, redis, runs_file

    @property
    def runs(self) -> Counter[int]:
        """How often each input was begun."""
        if not self._runs_file.exists():
            return Counter()
        return Counter(int(line.split()[0]) for line in self._lines())

    def pid_running(self, n: int) -> int:
        """The process that began `n` last."""
        return next(int(p) for m, p in reversed([x.split() for x in self._lines()]) if int(m) == n)

    @property
    def latest_pid(self) -> int:
        """The process that began something last."""
        return int(self._lines()[-1].split()[1])

    def poll(self, endpoint: str, numbers: list[int]) -> Polling:
        """Begins to ask for `numbers`."""
        return Polling(self.system.url, endpoint, numbers)

    def wait_for_runs(self, count: int) -> None:
        """Returns when so many runs have begun."""
        wait_until(lambda: self.runs.total() >= count, description=f"{count} runs began")

    def worker_processes(self, worker: Part | None = None) -> list[int]:
        """The supervisor and its worker processes."""
        part = worker or self.system.worker
        assert part is not None
        return [part.pid, *children_of(part.pid)]

    def _lines(self) -> list[str]:
        return self._runs_file.read_text().splitlines()


def children_of(pid: int) -> list[int]:
    """The ids of a process' children."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    pairs = [line.split() for line in listed.stdout.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def signal_each(pids: list[int], number: signal.Signals) -> None:
    """Sends a signal to each process."""
    for pid in pids:
        os.kill(pid, number)


StartSystem = Callable[..., FaultSystem]


@pytest.fixture(params=["random", "distributed", "ordered"])
def start_system(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StartSystem]:
    """Starts a system of one queue mode; checks at the end that no key lives for ever."""
    monkeypatch.setenv(RUNS, str(tmp_path / "runs"))
    started: list[FaultSystem] = []

    def start(processes: int = 1, **settings: str) -> FaultSystem:
        redis = EmbeddedRedis(append_only=True)
        system = System(
            queue_mode=request.param,
            redis_url=redis.url,
            processes=processes,
            settings={**SETTINGS, **settings},
            grace_s=2,
        )
        started.append(FaultSystem(system, redis, tmp_path / "runs"))
        system.start()
        return started[-1]

    yield start
    try:
        for each in started:
            wait_until_all_keys_expire(each.redis.url)
    finally:
        for each in started:
            each.system.stop()
            each.redis.stop()
