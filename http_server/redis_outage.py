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


FORGOTTEN_S = 30.0
"""After so long a type that was away, and that nobody has asked for since, is no trouble."""

_TYPE = "type "


class Outage:
    """What does not work now, of what this process does with Redis: `SUBMITS`, `NEWS`, `KEPT`, and
    submits of a type that is away while others are not."""

    SUBMITS, NEWS, KEPT = "submits", "news", "kept"

    def __init__(self) -> None:
        self._failing: dict[str, float] = {}  # what, and when it failed last
        self.known = False
        """It is in the log, and its end is not yet."""
        self._told_of_settings = False
        self._since_s = self._latest_s = 0.0
        self._lock = threading.Lock()

    @staticmethod
    def of_type(name: str) -> str:
        """Submits of one task type."""
        return f"{_TYPE}{name}"

    def was_away(self) -> None:
        """Redis was away when the program was started, which has said so."""
        with self._lock:
            self.known = True
            self._since_s = self._latest_s = time.monotonic()
            self._failing[self.SUBMITS] = self._latest_s

    def failed(self, what: str, error: Exception) -> None:
        """Something failed; says so unless that is known."""
        with self._lock:
            self._latest_s = time.monotonic()
            self._failing[what] = self._latest_s
            known, self.known = self.known, True
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
        if self.known:  # without the lock, since it is nearly always false
            self._end(what)

    def _end(self, what: str) -> None:
        with self._lock:
            now_s = time.monotonic()
            self._failing.pop(what, None)
            for name in [each for each in self._failing if each.startswith(_TYPE)]:
                if now_s > self._failing[name] + FORGOTTEN_S:
                    del self._failing[name]
            if not self.known or self._failing or now_s < self._latest_s + QUIET_S:
                return
            self.known = self._told_of_settings = False
            away_s = now_s - self._since_s
        log.warning("Redis is back after %.1f s", away_s)
