"""What a job gets to work with: other tasks to ask, a clock to sleep by, progress to tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from task_manager.errors import OverloadedError, UnavailableError
from task_manager.interface import Answering, Asking, Claim, State, Status, Task
from tasks import Registry
from tasks.coordination import AskedTask, StoppedError
from tasks.execution import Answer
from worker.progress import INTERVAL_S, MOST_MESSAGE

AT_ONCE = 250
"""Tasks asked in one round trip: a few ms of Redis' time."""
AWAY_WAIT_S = 0.5


class JobCoordination:
    """One run of a job; `tasks.coordination.Coordination` says what each method does."""

    def __init__(
        self, claim: Claim, owner: str, manager: Answering, asking: Asking, registry: Registry
    ) -> None:
        self.task_id = claim.id
        self.cancelled = False
        self._type, self._owner, self._manager = claim.type, owner, manager
        self._asking, self._registry = asking, registry
        self._ended = threading.Event()
        self._next_progress_s = 0.0

    @property
    def registry(self) -> Registry:
        return self._registry

    def stop(self) -> None:
        """The worker stops: the job is to end at its next step."""
        self._ended.set()

    def cancel(self) -> None:
        """Somebody cancelled it: the same, and it does not go back."""
        self.cancelled = True
        self._ended.set()

    def ask(self, tasks: Sequence[AskedTask]) -> list[Answer | None]:
        answers: list[Answer | None] = []
        for start in range(0, len(tasks), AT_ONCE):
            part = [Task(each.id, each.type, each.input) for each in tasks[start : start + AT_ONCE]]
            answers += [_answer(status) for status in self._submit(part)]
        return answers

    def progress(self, fraction: float, message: str = "") -> None:
        self._check()
        now_s = time.monotonic()
        if now_s < self._next_progress_s:
            return
        self._next_progress_s = now_s + INTERVAL_S
        report = (self._type, min(1.0, max(0.0, fraction)), message[:MOST_MESSAGE])
        try:
            self._manager.progress(self._owner, {self.task_id: report})
        except UnavailableError:
            return  # the next one tells more

    def sleep(self, seconds: float) -> None:
        self._ended.wait(seconds)
        self._check()

    def _check(self) -> None:
        if self._ended.is_set():
            raise StoppedError("cancelled" if self.cancelled else "the worker stops")

    def _submit(self, tasks: Sequence[Task]) -> Sequence[Status | OverloadedError]:
        while True:
            self._check()
            try:
                return self._asking.submit(tasks)
            except UnavailableError:
                self.sleep(AWAY_WAIT_S)


def _answer(status: Status | OverloadedError) -> Answer | None:
    """What came of a task; None while there is nothing, also where it was cancelled meanwhile."""
    if isinstance(status, OverloadedError) or status.body is None:
        return None
    if status.state not in (State.DONE, State.FAILED):
        return None
    return Answer(status.state is State.DONE, status.body)
