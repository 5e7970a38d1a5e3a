"""One log line when Redis goes, one when it is back."""

from __future__ import annotations

import logging
import time

from worker.backoff import Backoff

FIRST_RETRY_S = 0.05
MOST_RETRY_S = 1.0


class Outage:
    """Remembers whether Redis is away, and for how long to leave it alone."""

    def __init__(self, place: str, log: logging.Logger, level: int = logging.WARNING) -> None:
        self._place, self._log, self._level = place, log, level
        self._since: float | None = None
        self._backoff = Backoff(FIRST_RETRY_S, MOST_RETRY_S)

    def began(self, error: Exception) -> float:
        """A call failed; says how many seconds to wait before the next."""
        if self._since is None:
            self._since = time.monotonic()
            self._log.log(self._level, "Redis at %s is away, trying again: %s", self._place, error)
        return self._backoff.next_s()

    def over(self) -> bool:
        """A call worked; True if that ended an outage."""
        if self._since is None:
            return False
        away_s = time.monotonic() - self._since
        self._log.log(self._level, "Redis at %s is back after %.1f s", self._place, away_s)
        self._since = None
        self._backoff.reset()
        return True
