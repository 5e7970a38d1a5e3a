"""How far running tasks are, told to whoever asked, but not more often than they can see."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from worker.batcher import Batch

INTERVAL_S = 0.25
MOST_MESSAGE = 500  # characters


class ProgressReports:
    """The latest report of each running task, sent at most every `INTERVAL_S`.

    It is every task type's `report_progress`; `batch` is the batch that runs.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.batch: Batch | None = None
        self._wake = wake
        self._latest: dict[str, tuple[str, float, str]] = {}
        self._next_s = 0.0

    def __call__(self, index: int, fraction: float, message: str = "") -> None:
        """The `index`th input of the running batch is at `fraction`; called by the handler."""
        batch = self.batch
        if batch is None:
            return  # a thread that the handler left behind
        claim = batch.claims[index]
        fraction = 0.0 if math.isnan(fraction) else min(1.0, max(0.0, float(fraction)))
        first = not self._latest
        self._latest[claim.id] = (claim.type, fraction, str(message)[:MOST_MESSAGE])
        if first:
            self._wake()

    def due_in_s(self) -> float | None:
        """How many seconds from now reports are to be sent; None when there are none."""
        return max(0.0, self._next_s - time.monotonic()) if self._latest else None

    def take_due(self) -> dict[str, tuple[str, float, str]]:
        """The reports to send now; empty when none, or when the last ones are too fresh."""
        if self.due_in_s() != 0:
            return {}
        self._next_s = time.monotonic() + INTERVAL_S
        taken: dict[str, tuple[str, float, str]] = {}
        while self._latest:
            task_id, report = self._latest.popitem()
            taken[task_id] = report
        return taken
