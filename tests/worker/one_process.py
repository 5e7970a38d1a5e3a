"""The threads of one worker process, against a task manager in memory, and what they run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from doneyet.task_types import RunContext, TaskType
from doneyet.task_types.context import Host
from tests.helpers import wait_until
from tests.worker.fake_manager import FakeManager
from worker.process.batch_queue import BatchQueue
from worker.process.claim_loop import ClaimLoop
from worker.process.progress import ProgressReports
from worker.process.runner import Runner
from worker.status_board import StatusBoard, make_board_file


class _Text(BaseModel):
    key: str


class Controlled(TaskType):
    """Runs each batch until the test lets it go on."""

    name, endpoint = "controlled", "/controlled"
    Input, Output = _Text, _Text
    max_batch_size = 1
    result_ttl_s, failure_ttl_s = 100.0, 10.0

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()

    def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:
        self.batches.append([item.key for item in inputs])
        self.context = context
        self.gate.wait(20)
        if any(item.key.startswith("bad") for item in inputs):
            raise ValueError("bad")
        return inputs


class Process:
    """The two threads of a worker process, as threads of the test."""

    def __init__(
        self,
        manager: FakeManager,
        kind: TaskType,
        *others: TaskType,
        lease_s: float = 5.0,
        takes_suspects: bool = False,
        suspects_in_s: float = 0.0,
        begin: bool = True,
    ) -> None:
        self.queue = BatchQueue()
        self._fd = make_board_file(kind.max_batch_size)
        self.board = StatusBoard(self._fd)
        self.board.takes_suspects = takes_suspects
        progress = ProgressReports(self.queue.wake)
        self.claim_loop = ClaimLoop(
            manager,
            "owner",
            {each.name: each for each in (kind, *others)},
            self.queue,
            progress,
            in_order=False,
            board=self.board,
            some_wait=lambda: bool(manager.waiting),
            place="redis://fake",
            lease_s=lease_s,
            suspects_in_s=suspects_in_s,
        )
        runner = Runner(self.queue, self.board, owner="owner", host=Host(progress))
        both = (self.claim_loop.run, runner.run) if begin else ()
        self._threads = [threading.Thread(target=run) for run in both]
        for thread in self._threads:
            thread.start()

    def drain(self) -> None:
        """As when the supervisor says so."""
        self.queue.stopping = True
        self.queue.wake()

    @property
    def over(self) -> bool:
        """Whether both threads have ended."""
        return not any(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        self.drain()
        for thread in self._threads:
            thread.join(10)
        self.board.close()
        os.close(self._fd)


Start = Callable[..., Process]


@pytest.fixture
def manager() -> FakeManager:
    """Nothing waits yet."""
    return FakeManager()


@pytest.fixture
def kind() -> Controlled:
    """A type that does not batch."""
    return Controlled()


@pytest.fixture
def start(manager: FakeManager, kind: Controlled) -> Iterator[Start]:
    """Starts a worker process' threads, for `kind` or another type; ended after the test."""
    started: list[Process] = []
    served: list[Controlled] = []

    def start_one(other: Controlled | None = None, **options: Any) -> Process:
        served.append(other or kind)
        started.append(Process(manager, served[-1], **options))
        return started[-1]

    yield start_one
    for each in served:
        each.gate.set()
    manager.away = manager.lose_replies = manager.lose_prefetches = False
    for process in started:
        process.close()


def wait_for_results(manager: FakeManager, count: int) -> None:
    """Returns once `count` results are stored."""
    wait_until(lambda: len(manager.results) == count, description=f"{count} results are stored")
