"""Nodes of a cluster that do not answer: nobody waits for one again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5


class Absences:
    """Which nodes are left alone, by name.

    Whoever finds out that a node does not answer says so. From then on calls of it fail at once,
    so that only one call in a while waits for a node that is silent, and those of other nodes in
    the same round trip do not. Meanwhile a thread looks whether it is back.

    Args:
        is_over: looks at a node, and says whether it may be called again.
    """

    def __init__(self, is_over: Callable[[str], bool]) -> None:
        self._is_over = is_over
        self._away: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def __contains__(self, name: str) -> bool:
        return name in self._away

    def add(self, name: str) -> None:
        """This node does not answer."""
        with self._lock:
            if name in self._away or self._closed.is_set():
                return
            is_first = not self._away
            self._away |= {name}
            if is_first:
                threading.Thread(target=self._look, name="absent-nodes", daemon=True).start()

    def close(self) -> None:
        """Looks no more."""
        self._closed.set()

    def _look(self) -> None:
        """Until none is away."""
        while not self._closed.is_set():
            back = {name for name in self._away if self._may_be_called(name)}
            with self._lock:
                self._away -= back
                if not self._away:
                    return
            self._closed.wait(LOOK_EVERY_S)

    def _may_be_called(self, name: str) -> bool:
        try:
            return self._is_over(name)
        except Exception as error:
            log.debug("node %s is away: %s", name, error)
            return False
