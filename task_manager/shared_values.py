"""Small values that all servers of one deployment share, such as who is logged in."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Protocol

MOST_VALUES = 1000
"""Values that one process keeps where nobody else does; the oldest goes first."""


class SharedValues(Protocol):
    """Texts by name, each for a time.

    Every method raises `UnavailableError` while what keeps the values is away.
    """

    def put(self, name: str, text: str, ttl_s: float) -> None:
        """Keeps `text` for `ttl_s` seconds from now."""

    def get(self, name: str) -> str | None:
        """What is kept; None where nothing is, or no more."""

    def drop(self, name: str) -> None:
        """Keeps it no longer."""


class ValuesInMemory:
    """`SharedValues` where one process is the whole deployment; they end with it."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, name: str, text: str, ttl_s: float) -> None:
        with self._lock:
            self._texts[name] = time.monotonic() + ttl_s, text
            while len(self._texts) > MOST_VALUES:
                self._texts.popitem(last=False)

    def get(self, name: str) -> str | None:
        with self._lock:
            until_s, text = self._texts.get(name, (0.0, ""))
            return text if time.monotonic() < until_s else None

    def drop(self, name: str) -> None:
        with self._lock:
            self._texts.pop(name, None)
