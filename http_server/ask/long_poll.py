"""Requests held by `Prefer: wait`: each sleeps in its own thread until news of its tasks comes.

How many may wait is counted in places. A request takes one, and a large array more: one for each
`TASKS_PER_PLACE` tasks or `BYTES_PER_PLACE` of inputs, whichever is more. So the memory that all
held requests keep is bounded, whatever is in them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from http_server.ask.completions import News

TASKS_PER_PLACE = 25
BYTES_PER_PLACE = 64 * 1024


def places(tasks: int, size_bytes: int) -> int:
    """What a request takes that waits for so many tasks and keeps so many bytes."""
    return max(1, math.ceil(tasks / TASKS_PER_PLACE), math.ceil(size_bytes / BYTES_PER_PLACE))


class Waiter:
    """One held request."""

    def __init__(self, room: WaitingRoom, places: int) -> None:
        self._room, self.places = room, places
        self._expected: set[str] = set()
        self._wake = threading.Event()

    def expect(self, ids: Collection[str]) -> None:
        """Begins to hear of `ids`; call it before asking how they are, or news slips through."""
        self._room.expect(self, ids)

    def wait(self, pending: Collection[str], timeout_s: float) -> None:
        """Sleeps until all that is `pending` was heard of, or there is reason to look again."""
        if self._room.settle(self, pending):
            self._wake.wait(timeout_s)


class WaitingRoom:
    """Everybody who waits, by task id; at most `most` places are taken."""

    def __init__(self, news: News, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._by_id: dict[str, set[Waiter]] = {}
        self._waiters: set[Waiter] = set()
        self._taken = 0
        self.draining = False
        news.tell(self._heard, self.wake_all)

    def __len__(self) -> int:
        return len(self._waiters)

    @contextmanager
    def enter(self, places: int) -> Iterator[Waiter | None]:
        """So many places to wait in; None when fewer are free or the server drains."""
        waiter = Waiter(self, 0)
        admitted = self.widen(waiter, places)
        try:
            yield waiter if admitted else None
        finally:
            with self._lock:
                self._waiters.discard(waiter)
                self._taken -= waiter.places
                self._unexpect(waiter, set(waiter._expected))

    def widen(self, waiter: Waiter, places: int) -> bool:
        """Gives `waiter` so many more places; False when fewer are free or the server drains."""
        with self._lock:
            if self.draining or self._taken + places > self._most:
                return False
            self._waiters.add(waiter)
            self._taken += places
            waiter.places += places
            return True

    def drain(self) -> None:
        """Lets nobody in any more and sends everybody off."""
        with self._lock:
            self.draining = True
        self.wake_all()

    def wake_all(self) -> None:
        """Everybody looks again: news may have been missed."""
        with self._lock:
            for waiter in self._waiters:
                waiter._wake.set()

    def expect(self, waiter: Waiter, ids: Collection[str]) -> None:
        """`waiter` is told about `ids` from now on."""
        with self._lock:
            waiter._wake.clear()
            for task_id in ids:
                self._by_id.setdefault(task_id, set()).add(waiter)
            waiter._expected.update(ids)

    def settle(self, waiter: Waiter, pending: Collection[str]) -> bool:
        """Narrows what `waiter` expects to `pending`; False when it has heard of all of it."""
        with self._lock:
            self._unexpect(waiter, waiter._expected - set(pending))
            return bool(waiter._expected) and not self.draining

    def _heard(self, ids: Sequence[str]) -> None:
        with self._lock:
            for task_id in ids:
                for waiter in self._by_id.pop(task_id, ()):
                    waiter._expected.discard(task_id)
                    if not waiter._expected:
                        waiter._wake.set()

    def _unexpect(self, waiter: Waiter, ids: Collection[str]) -> None:
        for task_id in ids:
            others = self._by_id.get(task_id)
            if others is not None:
                others.discard(waiter)
                if not others:
                    del self._by_id[task_id]
        waiter._expected.difference_update(ids)
