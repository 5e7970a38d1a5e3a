"""One log line when Redis goes or begins to refuse, one when all works again."""

from __future__ import annotations

import logging
import threading
import time

from task_manager.errors import MisconfiguredError

log = logging.getLogger(__name__)

QUIET_S = 1.0
"""How long nothing may have failed before Redis counts as back; else calls of which every other
one fails would fill the log."""


class Outage:
    """What does not work now, of what this process does with Redis: `SUBMITS`, `NEWS`, `KEPT`."""

    SUBMITS, NEWS, KEPT = "submits", "news", "kept"

    def __init__(self) -> None:
        self._failing: set[str] = set()
        self._known = False  # it is in the log, and its end is not yet
        self._told_of_settings = False
        self._since_s = self._latest_s = 0.0
        self._lock = threading.Lock()

    def was_away(self) -> None:
        """Redis was away when the program was started, which has said so."""
        with self._lock:
            self._failing.add(self.SUBMITS)
            self._known = True
            self._since_s = self._latest_s = time.monotonic()

    def failed(self, what: str, error: Exception) -> None:
        """Something failed; says so unless that is known."""
        with self._lock:
            self._latest_s = time.monotonic()
            self._failing.add(what)
            known, self._known = self._known, True
            if not known:
                self._since_s = self._latest_s
            settings = isinstance(error, MisconfiguredError) and not self._told_of_settings
            self._told_of_settings |= settings
        if settings:
            log.error("%s", error)
        elif not known:
            log.warning("%s; trying again", error)

    def worked(self, what: str) -> None:
        """Something worked; says so if all does again."""
        if self._known:  # without the lock, since it is nearly always false
            self._end(what)

    def _end(self, what: str) -> None:
        with self._lock:
            self._failing.discard(what)
            now_s = time.monotonic()
            if not self._known or self._failing or now_s < self._latest_s + QUIET_S:
                return
            self._known = self._told_of_settings = False
            away_s = now_s - self._since_s
        log.warning("Redis is back after %.1f s", away_s)
