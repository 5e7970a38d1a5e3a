"""Concurrent requests share one round trip.

The first request thread to come leads: it submits for itself and for everybody who queued
meanwhile, then hands the lead to one of those who came during its round trip. No thread is kept
for it, and an idle server's request is submitted at once.

To wake a thread takes longer than most of what is done for its request here. So who waits for its
answers anyway is not woken to hear that there are none yet.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from operator import attrgetter

from doneyet.task_types.ready import let_go
from http_server.submit.chain import Layer, Outcome, ParsedTask, Sleeper
from http_server.submit.wake import Wake
from task_manager.errors import LargeAnswersError, UnavailableError

log = logging.getLogger(__name__)

MOST_PER_ROUND = 5000
"""Tasks in one round trip: some tens of milliseconds of Redis' time."""

PATIENCE_S = 1.8
"""How long a request queues for others' round trips; answers are promised within 2 s."""


_ASKED = attrgetter("id", "awaited", "asker")
"""What makes two submits of one round trip one."""


class _Call:
    """One request's part of a round."""

    __slots__ = ("error", "leads", "outcomes", "sleeper", "tasks", "wake")

    def __init__(self, tasks: Sequence[ParsedTask], sleeper: Sleeper | None) -> None:
        self.tasks, self.sleeper = tasks, sleeper
        self.outcomes: list[Outcome] | None = None
        self.error: BaseException | None = None
        self.leads = False
        self.wake = Wake() if sleeper is None else sleeper.wake

    def wait(self) -> bool:
        """Sleeps until it leads, or was submitted, or patience ends; False then."""
        give_up_s = time.monotonic() + PATIENCE_S
        while self.wake.wait(give_up_s - time.monotonic()):
            if self.leads:
                return True
            if self.outcomes is not None or self.error is not None:
                if self.sleeper is not None:
                    self.wake.set()  # it may be news of its tasks, which others are to hear, too
                return True
        return False

    def end(self) -> None:
        """It was submitted, or could not be."""
        sleeper, outcomes = self.sleeper, self.outcomes
        if sleeper is None or outcomes is None or not sleeper.sleeps_on(outcomes):
            self.wake.set()


class SharedRoundTrips:
    """The layer that shares round trips."""

    def __init__(self, inner: Layer) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._queue: deque[_Call] = deque()
        self._led = False

    def submit(
        self,
        tasks: Sequence[ParsedTask],
        *,
        discard: bool = False,
        sleeper: Sleeper | None = None,
    ) -> list[Outcome]:
        """As `TaskSubmitter.submit`; a `sleeper` is kept asleep for `PATIENCE_S` at most.

        Raises:
            UnavailableError: Redis is away or refuses, or earlier round trips take too long.
        """
        if discard:
            return self._inner.submit(tasks, discard=True)
        if len(tasks) > MOST_PER_ROUND:
            parts = range(0, len(tasks), MOST_PER_ROUND)
            return [
                one for at in parts for one in self._inner.submit(tasks[at : at + MOST_PER_ROUND])
            ]
        call = _Call(tasks, sleeper)
        with self._lock:
            self._queue.append(call)
            call.leads = not self._led
            self._led = True
        if not call.leads and not call.wait():
            with self._lock:  # the lead or an answer may have come at the last moment
                if not call.leads and call in self._queue:  # type: ignore[redundant-expr]
                    self._queue.remove(call)
        if call.leads:
            self._lead()
        if isinstance(call.error, UnavailableError):  # a copy: several threads raise it
            raise type(call.error)(str(call.error)) from call.error
        if call.error is not None:
            raise RuntimeError("the shared round trip failed") from call.error
        if call.outcomes is None:
            raise UnavailableError("Redis takes too long to answer")
        return call.outcomes

    def _lead(self) -> None:
        """One round for the whole queue, then somebody else leads."""
        calls = self._take()
        try:
            self._submit_for(calls)
        except Exception as error:
            if isinstance(error, UnavailableError):
                with self._lock:  # who queued meanwhile would only wait for the same failure
                    calls.extend(self._queue)
                    self._queue.clear()
            else:
                log.exception("a round trip of %d requests failed", len(calls))
            # Frames lead to `calls`: all inputs would stay until Python looks for cycles.
            told = let_go(error)
            for call in calls:
                call.error = told
        finally:
            with self._lock:
                follower = self._queue[0] if self._queue else None
                self._led = follower is not None
                if follower is not None:
                    follower.leads = True
            if follower is not None:
                follower.wake.set()
            for call in calls:
                if not call.leads:
                    call.end()

    def _take(self) -> list[_Call]:
        calls: list[_Call] = []
        total = 0
        with self._lock:
            while self._queue and (
                not calls or total + len(self._queue[0].tasks) <= MOST_PER_ROUND
            ):
                call = self._queue.popleft()
                total += len(call.tasks)
                calls.append(call)
        return calls

    def _submit_for(self, calls: Sequence[_Call]) -> None:
        """Each task once for each client, however often it submits it; but who waits for it and who
        submits it anew may be told different things."""
        tasks = {_ASKED(task): task for call in calls for task in call.tasks}
        outcomes = dict(zip(tasks, self._inner.submit(list(tasks.values())), strict=True))
        for call in calls:
            call.outcomes = [outcomes[_ASKED(task)] for task in call.tasks]
            if len(calls) > 1:
                self._fill(call.tasks, call.outcomes)

    def _fill(self, tasks: Sequence[ParsedTask], outcomes: list[Outcome]) -> None:
        """Asks again where others' large answers left no room for those of this request."""
        untold = [at for at, one in enumerate(outcomes) if isinstance(one, LargeAnswersError)]
        if untold:
            told = self._inner.submit([tasks[at] for at in untold])
            for at, outcome in zip(untold, told, strict=True):
                outcomes[at] = outcome
