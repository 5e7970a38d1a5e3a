"""One log line when Redis goes or begins to refuse, one when it is back."""

from __future__ import annotations

import logging
import time

from task_manager.backoff import Backoff
from task_manager.errors import MisconfiguredError

FIRST_RETRY_S = 0.05
MOST_RETRY_S = 1.0
MISCONFIGURED_RETRY_S = 3.0
"""How long to wait where only somebody who changes a setting can help."""


BESIDE_SUPERVISOR_S = 10.0
"""`say_after_s` of a supervisor's own processes and threads."""


class Outage:
    """Remembers whether Redis is away or refuses, and for how long to leave it alone.

    `say_after_s` is for those who stand beside a supervisor, which says it at once: they say it
    where it lasts, since it may concern them alone.
    """

    def __init__(self, place: str, log: logging.Logger, say_after_s: float = 0.0) -> None:
        self._place, self._log, self._say_after_s = place, log, say_after_s
        self._since: float | None = None
        self._said = self._said_of_settings = False
        self._backoff = Backoff(FIRST_RETRY_S, MOST_RETRY_S)

    def began(self, error: Exception) -> float:
        """A call failed; says how many seconds to wait before the next."""
        now_s = time.monotonic()
        self._since = now_s if self._since is None else self._since
        settings = isinstance(error, MisconfiguredError)
        if now_s - self._since >= self._say_after_s:
            if settings and not self._said_of_settings:
                self._log.error("%s", error)
                self._said_of_settings = True
            elif not self._said:
                self._log.warning("%s; trying again", error)
            self._said = True
        return MISCONFIGURED_RETRY_S if settings else self._backoff.next_s()

    def over(self) -> bool:
        """A call worked; True if that ended an outage."""
        if self._since is None:
            return False
        if self._said:
            away_s = time.monotonic() - self._since
            self._log.warning("Redis at %s is back after %.1f s", self._place, away_s)
        self._since = None
        self._said = self._said_of_settings = False
        self._backoff.reset()
        return True
