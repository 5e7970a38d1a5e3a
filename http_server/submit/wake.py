"""Lets one thread sleep until others wake it."""

from __future__ import annotations

import threading
from contextlib import suppress


class Wake:
    """An event with one sleeper, which forgets that it was set as soon as the sleeper knows.

    A request's thread makes one, sleeps and is woken: with `threading.Event` that takes several
    times as long, most of it to keep track of sleepers.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Wakes the sleeper, or lets it not fall asleep the next time."""
        with suppress(RuntimeError):  # it is set already
            self._lock.release()

    def is_set(self) -> bool:
        """Whether it is set and the sleeper does not know yet."""
        return not self._lock.locked()

    def wait(self, timeout_s: float) -> bool:
        """Sleeps until it is set, then forgets that; False when `timeout_s` is over before."""
        return self._lock.acquire(timeout=max(0.0, timeout_s))

    def clear(self) -> None:
        """Forgets that it was set."""
        self._lock.acquire(blocking=False)
