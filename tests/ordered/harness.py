"""The ordered discipline with RQ's worker in this process."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Mapping

from task_manager.interface import Limits
from task_manager.ordered import Ordered
from task_manager.ordered_executions import Executions
from tasks.execution import Answer
from worker.rq_in_process import InProcessWorker
from worker.rq_job import serve_with

LEASE_S = 10.0


class OrderedHarness:
    """A manager, and a worker that works off what waits; `answer(n)` is the body for {"n": n}."""

    def __init__(
        self,
        url: str,
        limits: Mapping[str, Limits],
        answer: Callable[[int], bytes],
        lease_s: float = LEASE_S,
    ) -> None:
        logging.getLogger("rq.worker").setLevel(logging.WARNING)
        self.manager = Ordered(url, limits)
        self.executions = Executions(url, limits, "doneyet", lease_s)
        self.runs: list[int] = []
        self._url, self._limits, self._answer, self._lease_s = url, limits, answer, lease_s

    def worker(self) -> InProcessWorker:
        """A new worker of all types."""
        return InProcessWorker(
            f"test-{secrets.token_hex(4)}",
            self._limits,
            self.executions,
            url=self._url,
            lease_s=self._lease_s,
        )

    def work_once(self) -> list[int]:
        """Runs all that waits, as `rq worker --burst` does; what it ran, in order."""
        before = len(self.runs)
        for name in self._limits:
            serve_with(name, self._run)
        worker = self.worker()
        worker.work(burst=True, logging_level="WARNING")
        worker.connection.close()
        return self.runs[before:]

    def close(self) -> None:
        """Lets go of all connections."""
        self.manager.close()
        self.executions.close()

    def _run(self, text: bytes) -> Answer:
        n = json.loads(text)["n"]
        self.runs.append(n)
        body = self._answer(n)
        return Answer("error" not in json.loads(body), body)


def make_ordered_manager(url: str, limits: Mapping[str, Limits]) -> Ordered:
    """The asking half alone."""
    return Ordered(url, limits)
