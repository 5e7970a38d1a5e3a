"""Ending worker processes whose running batch is over its time, or has been cancelled."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping

from doneyet.task_types import Registry
from doneyet.task_types.base import TaskType
from doneyet.task_types.error_text import TaskNames, named
from worker.status_board import Run
from worker.supervisor.child import Child, Why

log = logging.getLogger(__name__)

REMEMBERED_S = 5.0
"""How long a cancelled task that was claimed but not begun is watched for.

Unbegun claims are given back sooner than that. Not much longer, since who asks again for a
cancelled task may get the same process to run it.
"""


PREPARE_MOST_S = 60.0
"""How long the inputs of one batch are prepared at most where their type has no `timeout_s`:
meanwhile the process claims nothing of any type. What takes longer is prepared again alone."""


class Watchdog:
    """Looks at the status boards of a supervisor's worker processes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._cancelled: dict[str, dict[str, float]] = {}

    def remember_cancelled(self, cancelled: Mapping[str, Collection[str]]) -> None:
        """These tasks, by owner, were cancelled while claimed."""
        until_s = time.monotonic() + REMEMBERED_S
        for owner, ids in cancelled.items():
            self._cancelled.setdefault(owner, {}).update(dict.fromkeys(ids, until_s))

    def run_once(self, children: Collection[Child]) -> None:
        """Kills each child whose running batch should not go on."""
        for child in children:
            run = child.board.read()
            if run is not None and child.serving and (why := self._verdict(child.owner, run)):
                doing = self.named(run)
                log.info("worker process %d is killed: %s, %s", child.pid, why.value, doing)
                child.kill(why, run)
                self._cancelled.pop(child.owner, None)
            elif run is None and child.serving:
                self._bound_preparing(child)
        self._forget()

    def _bound_preparing(self, child: Child) -> None:
        """Kills `child` where it runs nothing, and prepares the same inputs for too long.

        Beside a batch that runs it may go on: that has a limit of its own, and may be what holds
        the interpreter.
        """
        if (prepared := child.board.read_preparing()) is None:
            return
        kind = self.type_of(prepared)
        limit_s = kind.timeout_s if kind is not None else None
        timeout_s = PREPARE_MOST_S if limit_s is None else limit_s
        if prepared.running_for_s() > timeout_s:
            log.warning(
                "worker process %d is killed: it prepared inputs for longer than %g s, %s",
                child.pid,
                timeout_s,
                self.named(prepared),
            )
            child.kill(Why.TIMED_OUT, prepared)

    def _verdict(self, owner: str, run: Run) -> Why | None:
        if self._cancelled.get(owner, {}).keys() & run.ids:
            return Why.CANCELLED
        timeout_s = time_limit_s(self.type_of(run))
        return Why.TIMED_OUT if run.running_for_s() > timeout_s else None

    def type_of(self, run: Run) -> TaskType | None:
        """The task type that `run` runs."""
        return self._registry.of_task(next(iter(run.ids)))

    def named(self, run: Run) -> TaskNames:
        """What runs there, for the log."""
        kind = self.type_of(run)
        return named(kind.name if kind is not None else "unknown", run.ids)

    def _forget(self) -> None:
        now_s = time.monotonic()
        for owner, ids in list(self._cancelled.items()):
            kept = {task_id: until_s for task_id, until_s in ids.items() if until_s > now_s}
            if kept:
                self._cancelled[owner] = kept
            else:
                del self._cancelled[owner]


def time_limit_s(task_type: TaskType | None) -> float:
    """How long one run of `task_type` may take."""
    limit_s = task_type.timeout_s if task_type is not None else None
    return float("inf") if limit_s is None else limit_s
