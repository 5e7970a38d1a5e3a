"""One thread of a server process that looks how the watched tasks are, for all streams together.

A look is one round trip for many tasks, however many streams watch them, at most one each
`LOOK_EVERY_S`; what has finished is looked at as soon as there is news of it. Nobody looks while
nobody watches.

Who watches, waits: a watched task is submitted again as a held request's is, which keeps it alive,
and brings it back where Redis has lost it. It is `awaited`, so one that was cancelled stays so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from http_server.redis_outage import Outage
from http_server.submit.chain import Layer, ParsedTask
from http_server.submit.completions import News
from http_server.submit.wake import Wake
from http_server.wire.problem import Problem, no_status, unknown_task
from task_manager.errors import (
    LargeAnswersError,
    NoStatusError,
    TypeUnavailableError,
    UnavailableError,
)
from task_manager.interface import TaskSubmitter
from task_manager.values import Status

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
"""How often a task is looked at; its progress is reported no more often."""

MOST_PAUSE_S = 2.0
_PAUSE_PER_WORK = 9  # so many times as long as a look took, up to `MOST_PAUSE_S`
_MOST_PER_ROUND = 100
LEAST_REFRESH_S = 0.25

T = TypeVar("T")


class Watched:
    """One task, and the streams that watch it."""

    def __init__(self, latest: Status, task: ParsedTask | None) -> None:
        self.task = task
        """What is submitted to keep it alive; None where only others can."""
        self.latest = latest
        self.gone: Problem | None = None
        """Why there is nothing more to tell, though it has not finished."""
        self.wakes: set[Wake] = set()
        """Set when something has changed."""
        self.refresh_at_s = 0.0
        self._as_of_s = 0.0
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.gone is not None or self.latest.state.terminal

    def tell(self, status: Status, as_of_s: float) -> None:
        """It is like this; wakes who has not seen that. What is older than `latest` is dropped."""
        status.input = None  # it is in `task`, and large perhaps
        with self._lock:
            if as_of_s < self._as_of_s or self.is_over:
                return
            before, self.latest, self._as_of_s = self.latest, status, as_of_s
        if (before.state, before.progress) != (status.state, status.progress):
            self._wake()

    def end(self, problem: Problem) -> None:
        """It is not there any more."""
        self.gone = problem
        self._wake()

    def _wake(self) -> None:
        for wake in list(self.wakes):
            wake.set()


class Looker:
    """All watched tasks of a process.

    Args:
        manager: tells how tasks are.
        submits: keeps tasks alive.
        news: of finished tasks.
        outage: hears whether Redis answers.
        input_ttl_s: how long a submit keeps a task alive whose type does not say.
    """

    def __init__(
        self,
        manager: TaskSubmitter,
        submits: Layer,
        news: News,
        outage: Outage,
        input_ttl_s: float,
    ) -> None:
        self._manager, self._submits, self._outage = manager, submits, outage
        self._input_ttl_s = input_ttl_s
        self._lock = threading.Lock()
        self._watched: dict[str, Watched] = {}
        self._finished: set[str] = set()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        news.tell(self._hear, lambda: None)

    def watch(self, status: Status, task: ParsedTask | None, wake: Wake) -> Watched:
        """From now on `wake` is set when something changes; `status` is from a moment ago."""
        with self._lock:
            watched = self._watched.get(status.id)
            if watched is None or watched.is_over:
                watched = self._watched[status.id] = Watched(status, task)
            watched.wakes.add(wake)
            watched.tell(status, time.monotonic())
            if self._thread is None:
                self._thread = threading.Thread(target=self.run, name="looker", daemon=True)
                self._thread.start()
        self._wake.set()
        return watched

    def leave(self, watched: Watched, wake: Wake) -> None:
        """Who was woken by `wake` watches no more."""
        with self._lock:
            watched.wakes.discard(wake)
            task_id = watched.latest.id
            if not watched.wakes and self._watched.get(task_id) is watched:
                del self._watched[task_id]

    def close(self) -> None:
        """Looks no more."""
        self._closed = True
        self._wake.set()

    def run(self) -> None:
        """Looks until closed."""
        next_s = 0.0
        while not self._closed:
            pause_s = max(0.0, next_s - time.monotonic()) if self._watched else None
            self._wake.wait(pause_s)
            self._wake.clear()
            began_s = time.monotonic()
            if began_s >= next_s:
                self.run_once()
                took_s = time.monotonic() - began_s
                next_s = began_s + min(MOST_PAUSE_S, max(LOOK_EVERY_S, _PAUSE_PER_WORK * took_s))
            elif self._finished:
                self.run_once(only_finished=True)

    def run_once(self, *, only_finished: bool = False) -> None:
        """Looks at all watched tasks, or at those of which there was news."""
        with self._lock:
            finished, self._finished = self._finished, set()
            watched = [
                each
                for each in self._watched.values()
                if not each.is_over and (not only_finished or each.latest.id in finished)
            ]
        if not watched:
            return
        try:
            self._look(watched)
        except UnavailableError as error:
            self._outage.failed(Outage.SUBMITS, error)
        except Exception:
            log.exception("watched tasks cannot be looked at")
        else:
            self._outage.worked(Outage.SUBMITS)

    def _look(self, watched: Sequence[Watched]) -> None:
        now_s = time.monotonic()
        due: list[Watched] = []
        lost: list[Watched] = []
        others: dict[tuple[str, bool], list[Watched]] = {}
        for each in watched:
            if each.task is not None and each.refresh_at_s <= now_s:
                due.append(each)
            else:
                others.setdefault((each.latest.type, each.refresh_at_s <= now_s), []).append(each)
        self._refresh(due)
        failed: UnavailableError | None = None
        for (type_name, is_due), of_type in others.items():
            try:
                lost += self._look_at_type(type_name, of_type, is_due=is_due)
            except UnavailableError as error:  # the other types may be there
                failed = error
        self._refresh(lost)
        if failed is not None:
            raise failed

    def _look_at_type(
        self, type_name: str, watched: Sequence[Watched], *, is_due: bool
    ) -> list[Watched]:
        """Looks at these, and keeps them alive if that is due, where they cannot be submitted;
        those that are not there and can be submitted again."""
        keep_s = self._input_ttl_s if is_due else None
        lost: list[Watched] = []
        for part in _parts(watched):
            as_of_s = time.monotonic()
            ids = [each.latest.id for each in part]
            statuses = self._manager.statuses(type_name, ids, keep_s=keep_s)
            for each, status in zip(part, statuses, strict=True):
                if is_due:
                    each.refresh_at_s = as_of_s + self._refresh_s(each)
                if status is not None:
                    each.tell(status, as_of_s)
                elif each.task is None:
                    each.end(unknown_task())
                else:
                    lost.append(each)
        return lost

    def _refresh(self, watched: Sequence[Watched]) -> None:
        """Keeps these alive, whose inputs are known, and looks at them by the way."""
        for part in _parts(watched):
            tasks = [each.task for each in part if each.task is not None]
            as_of_s = time.monotonic()
            for each, outcome in zip(part, self._submits.submit(tasks), strict=True):
                each.refresh_at_s = as_of_s + self._refresh_s(each)
                # It is there, or may be, and will be looked at.
                if isinstance(outcome, LargeAnswersError | TypeUnavailableError):
                    continue
                if isinstance(outcome, NoStatusError):
                    each.end(no_status(outcome))
                else:
                    each.tell(outcome, as_of_s)

    def _refresh_s(self, watched: Watched) -> float:
        task = watched.task
        ttl_s = (task.task_type.input_ttl_s if task else None) or self._input_ttl_s
        return max(LEAST_REFRESH_S, ttl_s / 3)

    def _hear(self, ids: Iterable[str]) -> None:
        """Of watched tasks that finished: they are looked at now."""
        if not self._watched:
            return
        with self._lock:
            heard = self._watched.keys() & set(ids)
            self._finished |= heard
        if heard:
            self._wake.set()


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + _MOST_PER_ROUND] for at in range(0, len(items), _MOST_PER_ROUND))
