"""An asker in the rq queue mode, and programs that work for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import redis

from doneyet.settings import Settings
from doneyet.task_types import load_registry
from task_manager.redis.modes.rq import RqManager
from task_manager.values import Status, Task
from tests.helpers import wait_until

ROOT = Path(__file__).parents[2]
SAMPLE_TASKS = "tests.rq.sample_tasks"

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def settings(redis_url: str) -> Settings:
    """The sample tasks on the shared server."""
    return Settings(redis_url=redis_url, queue_mode="rq", tasks=SAMPLE_TASKS, grace_s=3.0)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client that sees what is stored."""
    with redis.Redis.from_url(redis_url, protocol=2) as found:
        yield found


class RqAsker:
    """Asks as the HTTP server does."""

    def __init__(self, settings: Settings) -> None:
        self.types = load_registry(settings).types
        self.manager = RqManager(settings.redis_url, self.types, settings.key_prefix)

    def task(self, type_name: str, text: str) -> Task:
        """The task of one sample input."""
        data = json.dumps({"text": text}).encode()
        return Task(self.types[type_name].task_id(data), type_name, data)

    def ask(self, task: Task) -> Status:
        """One submit."""
        (status,) = self.manager.submit([task])
        assert isinstance(status, Status)
        return status

    def answer(self, task: Task) -> Status:
        """Asks until the task is terminal."""
        found: list[Status] = []

        def terminal() -> bool:
            found[:] = [self.ask(task)]
            return found[0].state.terminal

        wait_until(terminal, description=f"{task.id} is terminal", timeout_s=40)
        return found[0]


@pytest.fixture
def asker(settings: Settings) -> Iterator[RqAsker]:
    """Somebody who asks."""
    somebody = RqAsker(settings)
    yield somebody
    somebody.manager.close()


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    """Starts programs with the settings in their environment; ends them after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def program(command: Sequence[str], **environment: str) -> subprocess.Popen[bytes]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("DONEYET_")}
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**kept, **settings.to_environment(), **environment},
        )
        started.append(process)
        return process

    yield program
    for process in started:
        process.terminate()
    for process in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
        process.kill()
        process.wait()
