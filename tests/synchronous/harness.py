"""The synchronous queue mode; it works by itself, so `work_once` only tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from task_manager.synchronous import Synchronous
from task_manager.values import Result, State, Task


class SynchronousHarness:
    """A manager whose thread answers {"n": n} with `answer(n)`."""

    def __init__(self, limits: Mapping[str, Any], answer: Callable[[int], bytes]) -> None:
        self.manager = Synchronous(limits, self._run)
        self.runs: list[int] = []
        self._limits, self._answer = limits, answer
        self._told = 0

    def work_once(self) -> list[int]:
        """What ran since the last call."""
        ran = self.runs[self._told :]
        self._told = len(self.runs)
        return ran

    def close(self) -> None:
        """Ends the thread."""
        self.manager.close()

    def _run(self, task: Task) -> Result:
        n = json.loads(task.input)["n"]
        self.runs.append(n)
        body = self._answer(n)
        failed = "error" in json.loads(body)
        limits = self._limits[task.type]
        ttl_s = limits.failure_ttl_s if failed else limits.result_ttl_s
        return Result(task.id, task.type, State.FAILED if failed else State.DONE, body, ttl_s)
