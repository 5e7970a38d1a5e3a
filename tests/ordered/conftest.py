"""The ordered discipline: a manager with a worker in this process, and real worker processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from settings import Settings
from task_manager.interface import Limits, Status, Task
from task_manager.ordered import Ordered
from tasks.registry import Registry, load_registry
from tests.helpers import wait_until
from tests.ordered.harness import OrderedHarness

MODULE = "tests.ordered.sample_tasks"
SQUARES, CUBES = "squares", "cubes"


@dataclass
class TypeLimits:
    """The limits of a task type of the tests."""

    input_ttl_s: float | None = 30.0
    result_ttl_s: float | None = 60.0
    failure_ttl_s: float | None = 30.0
    max_attempts: int | None = 3
    max_load: int | None = 2000
    coordinated: bool = False
    timeout_s: float | None = None


def task(n: int, type_name: str = SQUARES) -> Task:
    """The task that asks for `n`."""
    return Task(f"{type_name}-{n}", type_name, json.dumps({"n": n}).encode())


def answer(n: int) -> bytes:
    """The square of `n`; negative numbers fail."""
    outcome = {"answer": n * n} if n >= 0 else {"error": {"code": "task-failed", "detail": "no"}}
    return json.dumps({"n": n, **outcome}).encode()


MakeHarness = Callable[..., OrderedHarness]


@pytest.fixture
def make_harness(redis_url: str) -> Iterator[MakeHarness]:
    """Makes harnesses on one server; keyword arguments change the limits."""
    made: list[OrderedHarness] = []

    def make(lease_s: float = 10.0, **changed: Any) -> OrderedHarness:
        limits: dict[str, Limits] = {name: TypeLimits(**changed) for name in (SQUARES, CUBES)}
        made.append(OrderedHarness(redis_url, limits, answer, lease_s))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client that sees what is stored."""
    with redis.Redis.from_url(redis_url) as found:
        yield found


class Workers:
    """`python -m worker --ordered` and an asker, both with the sample task types."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.settings = Settings(redis_url=url, discipline="ordered", tasks=MODULE, **settings)
        self.registry: Registry = load_registry(self.settings)
        self.manager = Ordered(url, self.registry.types)
        self.supervisors: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """One more supervisor."""
        environment = {**os.environ, **self.settings.to_environment()}
        process = subprocess.Popen([sys.executable, "-m", "worker"], env=environment)
        self.supervisors.append(process)
        return process

    def task(self, type_name: str, text: str) -> Task:
        """A task of a sample type."""
        data = json.dumps({"text": text}).encode()
        return Task(self.registry.types[type_name].task_id(data), type_name, data)

    def ask(self, task: Task) -> Status:
        """One submit."""
        (status,) = self.manager.submit([task])
        assert isinstance(status, Status)
        return status

    def answer(self, task: Task, timeout_s: float = 20.0) -> Status:
        """Asks until the task is terminal."""

        def terminal() -> Status | None:
            status = self.ask(task)
            return status if status.state.terminal else None

        status = wait_until(terminal, description=f"{task.id} is terminal", timeout_s=timeout_s)
        assert status is not None
        return status

    def stop(self) -> None:
        """Ends all supervisors, whose processes end with them."""
        for process in self.supervisors:
            process.terminate()
        for process in self.supervisors:
            process.wait(timeout=20)
        self.manager.close()


@pytest.fixture
def make_workers(redis_url: str) -> Iterator[Callable[..., Workers]]:
    """Makes `Workers` on one server; keyword arguments change settings."""
    made: list[Workers] = []

    def make(url: str = redis_url, **settings: object) -> Workers:
        made.append(Workers(url, **{"lease_s": 2.0, "grace_s": 3.0, **settings}))
        return made[-1]

    yield make
    for workers in made:
        workers.stop()
