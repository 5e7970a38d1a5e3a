"""Threads that send webhooks: a few at once, fewer to each host and of each client, so that none
waits for another."""

from __future__ import annotations

import logging
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple, TypeVar

log = logging.getLogger(__name__)

AT_ONCE = 40
"""Of which a client may have as many as are free besides: alone half."""
AT_ONCE_PER_HOST = 4
"""Likewise: one alone gets two, and a newcomer finds room at a host that does not answer."""
MOST_QUEUED_PER_LANE = 50
MOST_QUEUED = 500
"""Likewise."""

Work = Callable[[], None]
T = TypeVar("T", str, "Lane")


class Lane(NamedTuple):
    """What is done in the order in which it came."""

    client: str
    """Who had it sent. It may name any number of hosts that do not answer."""
    host: str


class Sender:
    """Work by lane, done in threads that end when there is none; lanes take turns.

    A client may have as many threads, and as many places in queues, as are left. So one alone gets
    half, two a third each, and a newcomer always finds some.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: OrderedDict[Lane, deque[Work]] = OrderedDict()
        self._queued = Counter[str]()
        """Work that waits, by client."""
        self._busy, self._busy_per_host = Counter[str](), Counter[str]()
        """Threads, by client and by host."""
        self._busy_per_lane = Counter[Lane]()

    def offer(self, client: str, host: str, work: Work) -> bool:
        """Does `work` as soon as it has its turn; False: too much waits already."""
        lane = Lane(client, host)
        with self._lock:
            queue = self._queues.get(lane)
            if len(queue or ()) >= MOST_QUEUED_PER_LANE:
                return False
            if self._queued[client] >= MOST_QUEUED - self._queued.total():
                return False
            if queue is None:
                queue = self._queues[lane] = deque()
            queue.append(work)
            _add(self._queued, client, 1)
            if self._is_free(lane):
                self._begin(lane)
        return True

    def drop(self) -> None:
        """Begins nothing more."""
        with self._lock:
            self._queues.clear()
            self._queued.clear()

    def _begin(self, lane: Lane) -> None:
        thread = threading.Thread(target=self._run, args=(lane,), name="webhook", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # there are too many already; the next offer tries again
            log.warning("a webhook waits: %s", error)
        else:  # with the lock still held, for which the thread waits
            self._count(lane, 1)

    def _run(self, lane: Lane | None) -> None:
        while lane is not None:
            with self._lock:
                work = self._next(lane)
            try:
                if work is not None:
                    work()
            except Exception:
                log.exception("a webhook could not be handled")
            with self._lock:
                lane = self._changed(lane)

    def _next(self, lane: Lane) -> Work | None:
        """Takes the next of a lane, which then comes after the others."""
        queue = self._queues.get(lane)
        if not queue:
            return None
        work = queue.popleft()
        _add(self._queued, lane.client, -1)
        self._queues.move_to_end(lane)
        if not queue:
            del self._queues[lane]
        return work

    def _changed(self, lane: Lane) -> Lane | None:
        """The lane that this thread is for from now on: the first that has work and is free."""
        self._count(lane, -1)
        following = next(filter(self._is_free, self._queues), None)
        if following is not None:
            self._count(following, 1)
        return following

    def _is_free(self, lane: Lane) -> bool:
        """Whether one more of it may be sent now."""
        if self._busy_per_lane[lane] >= AT_ONCE_PER_HOST - self._busy_per_host[lane.host]:
            return False
        return self._busy[lane.client] < AT_ONCE - self._busy.total()

    def _count(self, lane: Lane, threads: int) -> None:
        _add(self._busy, lane.client, threads)
        _add(self._busy_per_host, lane.host, threads)
        _add(self._busy_per_lane, lane, threads)


def _add(counter: Counter[T], name: T, number: int) -> None:
    """Names that count nothing are forgotten."""
    counter[name] += number
    if not counter[name]:
        del counter[name]
