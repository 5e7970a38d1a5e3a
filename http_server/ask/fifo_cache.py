"""A cache bounded by entries and by bytes whose reads take no lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_LARGEST_SHARE = 8  # one item may take at most this fraction of all bytes


class FifoCache(Generic[K, V]):
    """Forgets the oldest item first. Not the least recently used: noting each use would need a
    lock on the path of every poll, and what is forgotten by mistake is soon made again."""

    def __init__(
        self, most_entries: int, most_bytes: int, on_dropped: Callable[[V], None] | None = None
    ) -> None:
        self._most_entries, self._most_bytes = most_entries, most_bytes
        self._on_dropped = on_dropped
        self._items: dict[K, tuple[V, int]] = {}
        self._lock = threading.Lock()
        self.bytes = 0

    def get(self, key: K) -> V | None:
        """What is kept for `key`."""
        found = self._items.get(key)  # one dict read: atomic
        return None if found is None else found[0]

    def put(self, key: K, value: V, size: int) -> bool:
        """Keeps `value`, which takes `size` bytes, as the newest; False where it is too large."""
        if size * _LARGEST_SHARE > self._most_bytes:
            return False
        with self._lock:
            replaced = self._items.pop(key, None)
            if replaced is not None:
                self.bytes -= replaced[1]
            self._items[key] = (value, size)
            self.bytes += size
            dropped = []
            while len(self._items) > self._most_entries or self.bytes > self._most_bytes:
                oldest = next(iter(self._items))
                gone, gone_size = self._items.pop(oldest)
                self.bytes -= gone_size
                dropped.append(gone)
        if self._on_dropped is not None:
            for gone in dropped:
                self._on_dropped(gone)
        return True

    def __len__(self) -> int:
        return len(self._items)
