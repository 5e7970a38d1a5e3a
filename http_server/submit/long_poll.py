"""Requests held by `Prefer: wait`: each sleeps in its own thread until its answers are there.

When news comes, one of those whose tasks have finished fetches the answers of all, in one round
trip, and wakes the others, each once; what they submit again is known by then. So no thread is kept
for it, and who waits alone fetches its own answer. Most requests sleep only once: from when they
queue to be submitted until their answers are known. Now and then each submits again, which keeps
its tasks alive.

What is submitted again is `awaited`, so that a task which somebody cancels stays cancelled, and all
who are held for it are told so. Only where others submit it anew between the cancellation and
that moment, it runs again, and those that have not looked yet wait on for its answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence

from http_server.submit.chain import Outcome, ParsedTask, SleepingLayer, Submitted, is_final
from http_server.submit.completions import News
from http_server.submit.shared_round_trips import PATIENCE_S
from http_server.submit.waiting_room import BYTES_PER_PLACE, Held, WaitingRoom, places
from task_manager.values import Status

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.5
"""How often a held request submits again while no news comes."""

LEAST_REFRESH_S = 0.25
"""How often it does so at most while news comes, however short its tasks live."""


class LongPoll:
    """The layer that waits."""

    def __init__(
        self, inner: SleepingLayer, news: News, most_waiting: int, input_ttl_s: float
    ) -> None:
        self._inner, self._news, self._input_ttl_s = inner, news, input_ttl_s
        self.room = WaitingRoom(news, most_waiting)

    def submit(
        self, tasks: Sequence[ParsedTask], *, discard: bool = False, wait_s: float | None = None
    ) -> Submitted:
        """As in `WaitingLayer`. The wish to wait is not respected when the places to wait in are
        taken, or when the server drains."""
        if wait_s is None:
            return Submitted(self._inner.submit(tasks, discard=discard), waited=False)
        give_up_s = time.monotonic() + wait_s
        with self.room.enter(places(len(tasks), sum(task.size for task in tasks))) as held:
            if held is None:
                outcomes = self._inner.submit(tasks, discard=discard)
                return Submitted(outcomes, all(map(is_final, outcomes)))
            self.room.expect(held, tasks)
            sleeper = held if min(wait_s, self._refresh_s(tasks)) >= PATIENCE_S else None
            outcomes = self._inner.submit(tasks, discard=discard, sleeper=sleeper)
            return self._wait(held, tasks, outcomes, give_up_s)

    def _wait(
        self, held: Held, tasks: Sequence[ParsedTask], outcomes: list[Outcome], give_up_s: float
    ) -> Submitted:
        """`outcomes`, once all are final or the time is up."""
        pending = [place for place, outcome in enumerate(outcomes) if not is_final(outcome)]
        if held.sleeps:  # it was left asleep, and woken by now
            awaited = dict(enumerate(held.tasks))
        else:
            awaited = {place: tasks[place].as_awaited() for place in pending}
        waited, slept = self._keeps(held, outcomes), False
        while pending and waited:
            left_s = give_up_s - time.monotonic()
            if left_s <= 0 or self.room.draining:
                waited = not self.room.draining
                break
            asked = [awaited[place] for place in pending]
            self.room.wait(held, asked, min(left_s, self._refresh_s(asked)))
            if held.leads:
                self._lead(held)
            slept = True
            self.room.expect(held, asked)
            for place, outcome in zip(pending, self._inner.submit(asked), strict=True):
                outcomes[place] = outcome
            waited = self._keeps(held, [outcomes[place] for place in pending])
            pending = [place for place in pending if not is_final(outcomes[place])]
        if pending and slept:  # as they are by now
            last = self._inner.submit([awaited[place] for place in pending])
            for place, outcome in zip(pending, last, strict=True):
                outcomes[place] = outcome
        return Submitted(outcomes, waited)

    def _lead(self, leader: Held) -> None:
        """Fetches the answers of all that are ready, so that they are known, and wakes these."""
        ready = {leader, *self.room.ready()}
        tasks = {task.id: task for held in ready for task in held.tasks}
        try:
            self._inner.submit(list(tasks.values()))
        except Exception as error:  # each submits by itself, and meets it there
            log.debug("the answers of held requests cannot be fetched: %r", error)
        self.room.wake(ready - {leader}, leader)

    def _keeps(self, held: Held, outcomes: Sequence[Outcome]) -> bool:
        """Whether there is room for finished answers, which may have to wait for others of their
        array."""
        size_bytes = sum(len(one.body or b"") for one in outcomes if isinstance(one, Status))
        return size_bytes == 0 or self.room.widen(held, size_bytes // BYTES_PER_PLACE)

    def _refresh_s(self, tasks: Iterable[ParsedTask]) -> float:
        """How long to sleep at most: submitting is also what keeps the tasks alive."""
        if not self._news.connected:
            return LOOK_AGAIN_S
        shortest_s = min(task.task_type.input_ttl_s or self._input_ttl_s for task in tasks)
        return max(LEAST_REFRESH_S, shortest_s / 3)
