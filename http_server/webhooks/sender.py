"""Threads that send webhooks: a few at once, fewer to each host, so that none waits for another."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable

log = logging.getLogger(__name__)

AT_ONCE = 20
AT_ONCE_PER_HOST = 2
MOST_QUEUED_PER_HOST = 50
MOST_QUEUED = 500

Work = Callable[[], None]


class Sender:
    """Work by host, done in threads that end when there is none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: OrderedDict[str, deque[Work]] = OrderedDict()
        self._busy: dict[str, int] = {}
        self._queued = 0

    def offer(self, host: str, work: Work) -> bool:
        """Does `work` as soon as `host` has its turn; False: too much waits already."""
        with self._lock:
            queue = self._queues.get(host)
            if self._queued >= MOST_QUEUED or len(queue or ()) >= MOST_QUEUED_PER_HOST:
                return False
            if queue is None:
                queue = self._queues[host] = deque()
            queue.append(work)
            self._queued += 1
            if sum(self._busy.values()) < AT_ONCE and self._is_free(host):
                self._begin(host)
        return True

    def drop(self) -> None:
        """Begins nothing more."""
        with self._lock:
            self._queues.clear()
            self._queued = 0

    def _begin(self, host: str) -> None:
        thread = threading.Thread(target=self._run, args=(host,), name="webhook", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # there are too many already; the next offer tries again
            log.warning("a webhook waits: %s", error)
        else:  # with the lock still held, for which the thread waits
            self._busy[host] = self._busy.get(host, 0) + 1

    def _run(self, host: str | None) -> None:
        while host is not None:
            with self._lock:
                work = self._next(host)
            try:
                if work is not None:
                    work()
            except Exception:
                log.exception("a webhook could not be handled")
            with self._lock:
                host = self._changed(host)

    def _next(self, host: str) -> Work | None:
        """Takes the next of a host, which then comes after the others."""
        queue = self._queues.get(host)
        if not queue:
            return None
        work = queue.popleft()
        self._queued -= 1
        self._queues.move_to_end(host)
        if not queue:
            del self._queues[host]
        return work

    def _changed(self, host: str) -> str | None:
        """The host that this thread is for from now on: the first that has work and is free."""
        self._busy[host] -= 1
        if not self._busy[host]:
            del self._busy[host]
        following = next(filter(self._is_free, self._queues), None)
        if following is not None:
            self._busy[following] = self._busy.get(following, 0) + 1
        return following

    def _is_free(self, host: str) -> bool:
        return self._busy.get(host, 0) < AT_ONCE_PER_HOST
