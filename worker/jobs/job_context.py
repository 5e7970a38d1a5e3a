"""What a job works with: submitting other tasks, sleeping, reporting progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence

from doneyet.task_types import Registry
from doneyet.task_types.answer import Answer, failure
from doneyet.task_types.job import AskedTask, StoppedError
from task_manager.errors import NoStatusError, UnavailableError
from task_manager.interface import TaskClaimer, TaskSubmitter
from task_manager.values import Asker, Claim, State, Status, Task
from worker.jobs.completions import ItemCompletions
from worker.process.progress import INTERVAL_S, MOST_MESSAGE

AT_ONCE, BYTES_AT_ONCE = 250, 1 << 20
"""Tasks submitted in one round trip: some ms of Redis time, and not too many for slow networks."""
PRIORITY = 4
"""Of what jobs submit: whoever waits for one answer comes before who waits for a whole file."""

ASKED_AGAIN_AFTER_S = 10.0
"""For as long news of a task is relied on."""
AWAY_WAIT_S = 0.5


class RunningJob:
    """One run of a job; `doneyet.task_types.job.JobContext` says what each method does."""

    def __init__(
        self,
        claim: Claim,
        owner: str,
        manager: TaskClaimer,
        *,
        submitter: TaskSubmitter,
        registry: Registry,
        completions: ItemCompletions,
    ) -> None:
        self.task_id = claim.id
        self._asker = Asker(claim.id, PRIORITY)
        self.cancelled = False
        self._type, self._owner, self._manager = claim.type, owner, manager
        self._submitter, self._registry, self._completions = submitter, registry, completions
        self._next_s: dict[str, float] = {}
        """When a task that was asked is to be asked again: it is unfinished, or was cancelled
        meanwhile, which stays its answer."""
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
        answers: dict[str, Answer] = {}
        for part in _in_parts(self._due(tasks)):
            for task in part:  # before it is asked, so that news from now on counts
                self._next_s[task.id] = time.monotonic() + self._asked_again_after_s(task)
            for task, status in zip(part, self._submit(part), strict=True):
                if isinstance(status, NoStatusError):
                    self._next_s.pop(task.id, None)
                elif (answer := _answer(status)) is not None:
                    answers[task.id] = answer
                    if status.state is State.CANCELLED:
                        self._next_s[task.id] = 0.0
                    else:
                        self._next_s.pop(task.id, None)
        return [answers.get(task.id) for task in tasks]

    def heard(self, ids: Sequence[str]) -> None:
        """These tasks have finished, or were discarded; told by another thread."""
        for task_id in ids:
            if task_id in self._next_s:
                self._next_s[task_id] = 0.0

    def doubt(self) -> None:
        """News may have been missed; told by another thread."""
        self.heard(list(self._next_s))

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

    def _due(self, tasks: Sequence[AskedTask]) -> Iterator[Task]:
        """Each task once, but for those of which news will come."""
        now_s, relied_on = time.monotonic(), self._completions.connected
        for each in {task.id: task for task in tasks}.values():
            if not relied_on or self._next_s.get(each.id, 0.0) <= now_s:
                yield Task(
                    each.id,
                    each.type,
                    each.input,
                    awaited=each.id in self._next_s,
                    asker=self._asker,
                )

    def _asked_again_after_s(self, task: Task) -> float:
        """Submitting is what keeps a task alive."""
        ttl_s = self._registry.types[task.type].input_ttl_s or 1.0
        return min(ASKED_AGAIN_AFTER_S, ttl_s / 3)

    def _submit(self, tasks: Sequence[Task]) -> Sequence[Status | NoStatusError]:
        while True:
            self._check()
            try:
                return self._submitter.submit(tasks)
            except UnavailableError:
                self.sleep(AWAY_WAIT_S)


def _in_parts(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """`tasks` in parts for one round trip each."""
    part: list[Task] = []
    size = 0
    for task in tasks:
        if part and (len(part) == AT_ONCE or size + len(task.input) > BYTES_AT_ONCE):
            yield part
            part, size = [], 0
        part.append(task)
        size += len(task.input)
    if part:
        yield part


def _answer(status: Status | NoStatusError) -> Answer | None:
    """What came of a task; None while there is nothing."""
    if isinstance(status, NoStatusError) or not status.state.terminal:
        return None
    if status.body is None:
        return failure("cancelled", "somebody cancelled this task")
    return Answer(status.state is State.DONE, status.body)
