"""A cache bounded by its bytes whose reads take no lock."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_BYTES = 48 * 1024 * 1024
"""What all that one cache keeps may take."""

_LARGEST_SHARE = 8  # one item may take at most this fraction of all bytes


class BoundedCache(Generic[K, V]):
    """Forgets the oldest item first.

    By hand: cachetools' caches want a lock around each read, and every poll reads. Not the least
    recently used: noting each use would need that lock, too.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._items: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def get(self, key: K) -> V | None:
        """What is kept for `key`."""
        found = self._items.get(key)  # one read: atomic
        return None if found is None else found[0]

    def put(self, key: K, value: V, size: int) -> None:
        """Keeps `value`, which takes `size` bytes, as the newest; not where it is too large."""
        with self._lock:
            self._drop(key)
            if size * _LARGEST_SHARE > self._most_bytes:
                return
            self._items[key] = (value, size)
            self.bytes += size
            while self.bytes > self._most_bytes:
                self.bytes -= self._items.popitem(last=False)[1][1]

    def drop(self, key: K) -> None:
        """Forgets `key`."""
        if key in self._items:
            with self._lock:
                self._drop(key)

    def _drop(self, key: K) -> None:
        if (dropped := self._items.pop(key, None)) is not None:
            self.bytes -= dropped[1]

    def __len__(self) -> int:
        return len(self._items)
