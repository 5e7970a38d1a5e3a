"""The rq queue mode with one of RQ's own workers in this process."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

import pytest
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from doneyet.task_types import TaskType
from doneyet.task_types.answer import Answer
from task_manager.redis.clients import each_server, open_client
from task_manager.redis.modes.rq import RqManager
from task_manager.values import Limits
from tests.contract.harness import answer
from worker.rq import job


class _Runner(job.TaskRunner):
    """Answers as all workers of the contract do, and notes what it ran."""

    def __init__(self, manager: RqManager, types: Mapping[str, TaskType], runs: list[int]) -> None:
        super().__init__(manager, types)
        self._runs = runs

    def _answer(self, kind: TaskType, text: bytes, owner: str, task_id: str) -> Answer:
        n = json.loads(text)["n"]
        self._runs.append(n)
        return Answer(n >= 0, answer(n))


def _task_type(name: str, limits: Limits) -> TaskType:
    kind = TaskType()
    kind.name = name
    for field in ("input_ttl_s", "result_ttl_s", "failure_ttl_s", "max_attempts", "max_load"):
        setattr(kind, field, getattr(limits, field))
    return kind


class RqHarness:
    """A manager, and a stock worker that works off what waits."""

    def __init__(self, url: str, limits: Mapping[str, Limits]) -> None:
        self.manager = RqManager(url, limits, "doneyet")
        self.runs: list[int] = []
        self.types = {name: _task_type(name, each) for name, each in limits.items()}
        (self._connection,) = each_server(open_client(url, protocol=2))

    def work_once(self) -> list[int]:
        """Runs all that waits, as `rq worker --burst` does; what it ran, in order."""
        before = len(self.runs)
        worker = SimpleWorker(
            list(self.types), connection=self._connection, serializer=JSONSerializer
        )
        logging.getLogger("rq.worker").setLevel(logging.ERROR)
        with pytest.MonkeyPatch.context() as patch:
            runner = _Runner(self.manager, self.types, self.runs)
            patch.setattr(job, "task_runner", lambda: runner)
            worker.work(burst=True, logging_level="ERROR")
        return self.runs[before:]

    def close(self) -> None:
        """Lets go of all connections."""
        self.manager.close()
        self._connection.close()
