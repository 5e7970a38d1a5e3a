"""What this process knows of finished tasks, so that most polls need no Redis.

A finished status is repeated while news comes and none was about it, until its result expires and
for `KEPT_S` at most; with the load of its type, which is learned anew every `REPEAT_S`.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from http_server.submit.bounded_cache import BoundedCache
from http_server.submit.chain import Outcome, ParsedTask, Sleeper, SleepingLayer
from http_server.submit.completions import News
from task_manager.errors import NoStatusError
from task_manager.values import State, Status

REPEAT_S = 0.25
"""How old the load in an answer may be."""

KEPT_S = 10.0
"""How long a finished status is believed without asking again. It bounds what a wall clock that
differs from Redis' could do to a result near its expiry."""

MOST_RECENT = 10_000
"""Latest news that are remembered, for submits that were on their way when it came."""

_NO_LOAD = (0, -math.inf)
_OVERHEAD_BYTES = 700  # of Python objects around one status


class _Kept(NamedTuple):
    status: Status
    epoch: int  # of the news
    until_s: float  # of the monotonic clock
    expires_s: float  # of the wall clock


class StatusCache:
    """The layer that remembers."""

    def __init__(self, inner: SleepingLayer, news: News) -> None:
        self._inner, self._news = inner, news
        self._kept: BoundedCache[str, _Kept] = BoundedCache()
        self._loads: dict[str, tuple[int, float]] = {}
        self.remembered: Counter[str] = Counter()
        """How many answers came from here, by task type; approximate between threads."""
        self._doubted: OrderedDict[str, int] = OrderedDict()
        self._doubts = 0
        self._lock = threading.Lock()
        news.tell(self.doubt, lambda: None)

    def submit(
        self,
        tasks: Sequence[ParsedTask],
        *,
        discard: bool = False,
        sleeper: Sleeper | None = None,
    ) -> list[Outcome]:
        """As `TaskSubmitter.submit`, without a round trip for what is known."""
        if discard:
            discarded: list[Outcome] = self._inner.submit(tasks, discard=True)
            self.doubt(task.id for task in tasks)
            return discarded
        known, types = self._known(tasks)
        outcomes: list[Outcome] = []
        if len(known) < len(tasks):
            before = self._news.epoch, self._doubts, time.monotonic()
            if not known:
                outcomes = self._inner.submit(tasks, sleeper=sleeper)
                self._learn(tasks, outcomes, *before)
                return outcomes
            asked = [task for place, task in enumerate(tasks) if place not in known]
            outcomes = self._inner.submit(asked)
            self._learn(asked, outcomes, *before)
        if len(types) == 1:  # as nearly always: not one by one
            self.remembered[types[0]] += len(known)
        for status in known.values():
            status.load = self._loads[status.type][0]
            if len(types) > 1:
                self.remembered[status.type] += 1
        if len(known) == len(tasks):
            return list(known.values())
        told = iter(outcomes)
        return [known.get(place) or next(told) for place in range(len(tasks))]

    def doubt(self, ids: Iterable[str]) -> None:
        """Something happened to these tasks: what is known of them is not believed any more, nor
        what a submit says that is on its way."""
        with self._lock:
            for task_id in ids:
                self._kept.drop(task_id)
                self._doubts += 1
                self._doubted[task_id] = self._doubts
                self._doubted.move_to_end(task_id)
            while len(self._doubted) > MOST_RECENT:
                self._doubted.popitem(last=False)

    def _known(self, tasks: Sequence[ParsedTask]) -> tuple[dict[int, Status], list[str]]:
        """What need not be asked, by place, and of which types that is. Where a type's load is
        stale, one of its tasks is left out: asking about any one tells the load of all."""
        if not self._news.connected:
            return {}, []
        now_s, wall_s, epoch = time.monotonic(), time.time(), self._news.epoch
        known: dict[int, Status] = {}
        by_type: dict[str, int] = {}
        get = self._kept.get
        for place, task in enumerate(tasks):
            kept = get(task.id)
            if (
                kept is not None
                and kept.epoch == epoch
                and now_s < kept.until_s
                and wall_s < kept.expires_s
            ):
                known[place] = kept.status
                by_type[task.type] = place
        for name, place in by_type.items():
            if now_s - self._loads[name][1] > REPEAT_S:
                del known[place]
        return known, list(by_type)

    def _learn(
        self,
        tasks: Sequence[ParsedTask],
        outcomes: Sequence[Outcome],
        epoch: int,
        doubts: int,
        asked_s: float,
    ) -> None:
        """Keeps what is finished, unless there was news about it since `doubts`. Not that a task
        is cancelled, which is told only to those who waited for it. What was asked at `asked_s`
        may come long after what was asked later."""
        with self._lock:
            for task, outcome in zip(tasks, outcomes, strict=True):
                if isinstance(outcome, NoStatusError):
                    continue
                if asked_s >= self._loads.get(task.type, _NO_LOAD)[1]:
                    self._loads[task.type] = (outcome.load, asked_s)
                if (
                    outcome.state.terminal
                    and outcome.state is not State.CANCELLED
                    and self._doubted.get(task.id, 0) <= doubts > self._doubts - MOST_RECENT
                ):
                    expires_ms = outcome.expires_ms
                    expires_s = math.inf if expires_ms is None else expires_ms / 1000
                    kept = _Kept(outcome, epoch, asked_s + KEPT_S, expires_s)
                    self._kept.put(task.id, kept, len(outcome.body or b"") + _OVERHEAD_BYTES)
