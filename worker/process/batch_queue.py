"""What the two threads of a worker process share: batches one way, what came of them the other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import NamedTuple

from task_manager.values import Result
from worker.process.batcher import Batch


class Finished(NamedTuple):
    """A batch that ran: one result per claim, and how long that took."""

    batch: Batch
    results: Sequence[Result]
    elapsed_s: float


class BatchQueue:
    """Batches to run, batches that ran, batches handed back unbegun.

    Without a lock: every step is one that Python does as a whole (SimpleQueue's own, appending to
    and cutting the start of a list).
    """

    def __init__(self) -> None:
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._finished: list[Finished] = []
        self._returned: list[Batch] = []
        self._wake = threading.Event()
        self.running_since_s = 0.0
        """Monotonic time at which the current batch began; 0 between batches."""
        self.stopping = False
        """Set once: nothing more is to begin."""
        self.revocations = 0
        """Those of the status board that what lies here has outlived."""

    def put(self, batches: Sequence[Batch]) -> None:
        """Gives the main thread batches to run."""
        for batch in batches:
            self._batches.put(batch)

    def next_batch(self) -> Batch | None:
        """The next batch to run, waiting for one; None: the process is to end."""
        return self._batches.get()

    def exhausted(self) -> bool:
        """Whether no batch waits to be run."""
        return self._batches.empty()

    def end(self) -> None:
        """Tells the main thread to end once it has nothing to run."""
        self._batches.put(None)

    def take_unbegun(self) -> list[Batch]:
        """What the main thread has not begun or has handed back; it is yours now."""
        batches: list[Batch] = []
        while True:
            try:
                batch = self._batches.get_nowait()
            except Empty:
                break
            if batch is not None:
                batches.append(batch)
        while self._returned:
            batches.append(self._returned.pop())
        return batches

    def hand_back(self, batch: Batch) -> None:
        """The main thread got `batch` and cannot run it."""
        self._returned.append(batch)
        self._wake.set()

    @property
    def has_returned(self) -> bool:
        """Whether the main thread has handed a batch back."""
        return bool(self._returned)

    def add_finished(self, finished: Finished) -> None:
        """The main thread has run a batch; call `wake` when the other thread should know."""
        self._finished.append(finished)

    def take_finished(self) -> list[Finished]:
        """All batches that ran since the last time."""
        count = len(self._finished)
        taken = self._finished[:count]
        del self._finished[:count]
        return taken

    def wake(self) -> None:
        """Makes `wait` return."""
        self._wake.set()

    def wait(self, timeout_s: float) -> None:
        """Waits until there is news from the main thread or from the supervisor."""
        if timeout_s > 0:
            self._wake.wait(timeout_s)
        self._wake.clear()
