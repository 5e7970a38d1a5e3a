"""Requests held by `Prefer: wait`: each sleeps in its own thread until news of its tasks comes."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from http_server.news import News


class Waiter:
    """One held request."""

    def __init__(self, room: WaitingRoom) -> None:
        self._room = room
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
    """Everybody who waits, by task id; at most `most` requests."""

    def __init__(self, news: News, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._by_id: dict[str, set[Waiter]] = {}
        self._waiters: set[Waiter] = set()
        self.draining = False
        news.tell(self._heard, self.wake_all)

    def __len__(self) -> int:
        return len(self._waiters)

    @contextmanager
    def enter(self) -> Iterator[Waiter | None]:
        """A place to wait in; None when all are taken or the server drains."""
        waiter = Waiter(self)
        with self._lock:
            if self.draining or len(self._waiters) >= self._most:
                admitted = False
            else:
                self._waiters.add(waiter)
                admitted = True
        try:
            yield waiter if admitted else None
        finally:
            with self._lock:
                self._waiters.discard(waiter)
                self._unexpect(waiter, set(waiter._expected))

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
