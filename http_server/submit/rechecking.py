"""Answers about what lies outside, as files do: told again only while they still hold.

A job with such answers names another that can tell (`Job.rechecked_by`): it runs in
workers, since servers have neither files nor credentials. It is submitted each time somebody
submits a task that is done. A task whose answer does not hold runs again, and its next answer is
told as it is: who keeps submitting is answered, be the files written ever so often.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Sequence

from doneyet.task_types import Job
from http_server.submit.chain import Outcome, ParsedTask, Submitted, WaitingLayer, is_final
from http_server.wire.answer import answer
from task_manager.errors import NoStatusError

RECHECK_WAIT_S = 2.0
"""How long a worker may take to tell; after that an answer is told as it stands."""
_MOST_RESTARTED = 10_000


class Rechecking:
    """The layer that runs finished tasks again whose answers do not hold any more."""

    def __init__(self, inner: WaitingLayer) -> None:
        self._inner = inner
        self._restarted: dict[str, None] = {}
        self._lock = threading.Lock()

    def submit(
        self, tasks: Sequence[ParsedTask], *, discard: bool = False, wait_s: float | None = None
    ) -> Submitted:
        """As in `WaitingLayer`."""
        began_s = time.monotonic()
        outcomes, waited = self._inner.submit(tasks, discard=discard, wait_s=wait_s)
        stale = self._stale(tasks, outcomes)
        if not stale:
            return Submitted(outcomes, waited)
        if wait_s is not None:
            wait_s = max(0.0, wait_s - (time.monotonic() - began_s))
        asked = [tasks[place] for place in stale]
        again, waited = self._inner.submit(asked, discard=True, wait_s=wait_s)
        with self._lock:
            for task, outcome in zip(asked, again, strict=True):
                if not is_final(outcome):
                    self._restarted[task.id] = None
            while len(self._restarted) > _MOST_RESTARTED:
                del self._restarted[next(iter(self._restarted))]
        answers = dict(zip(stale, again, strict=True))
        return Submitted([answers.get(at, one) for at, one in enumerate(outcomes)], waited)

    def _stale(self, tasks: Sequence[ParsedTask], outcomes: Sequence[Outcome]) -> list[int]:
        """The places of answers that do not hold; their tasks are to run again."""
        checks: dict[int, ParsedTask] = {}
        for place, (task, outcome) in enumerate(zip(tasks, outcomes, strict=True)):
            job = task.task_type
            if not isinstance(job, Job) or job.rechecked_by is None:
                continue
            if isinstance(outcome, NoStatusError) or outcome.body is None:
                continue  # there is no answer that could hold or not, also where it was cancelled
            with self._lock:
                if task.id in self._restarted:
                    del self._restarted[task.id]
                    continue
            given = job.recheck(json.loads(answer(job, outcome, task.echo)))
            if given is not None:
                checks[place] = _check(job.rechecked_by, given, task)
        if not checks:
            return []
        told = self._inner.submit(list(checks.values()), wait_s=RECHECK_WAIT_S).outcomes
        return [place for place, one in zip(checks, told, strict=True) if _refutes(one)]


def _check(job: Job, given: dict[str, object], of: ParsedTask) -> ParsedTask:
    """A task that nobody has submitted before, so that its answer is of now."""
    canonical = json.dumps({**given, "asked": secrets.token_hex(8)}).encode()
    return ParsedTask(job.task_id(canonical), job.name, canonical, job, b"{}", asker=of.asker)


def _refutes(outcome: Outcome) -> bool:
    if isinstance(outcome, NoStatusError) or outcome.body is None:
        return False
    return json.loads(outcome.body).get("holds") is False
