"""When to retry, and when to stop: backoff with jitter, patience, deadlines."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from doneyet.client.errors import UnavailableError

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
HELD = 0.8
"""The part of the time asked for, after which a request counts as held."""

T = TypeVar("T")


class Backoff:
    """Pauses that double from `FIRST_PAUSE_S` to `LONGEST_PAUSE_S`, each with jitter.

    Jitter keeps clients that were sent away together from coming back together.
    """

    def __init__(self) -> None:
        self._pause_s = FIRST_PAUSE_S

    def next_s(self, retry_after_s: float | None = None) -> float:
        """The next pause: never before `Retry-After` where the server gave one."""
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        if retry_after_s is not None:
            return max(retry_after_s, FIRST_PAUSE_S) * random.uniform(1.0, 1.25)
        return pause_s * random.uniform(0.5, 1.0)

    def after(self, took_s: float, held_s: float, retry_after_s: float | None) -> float:
        """The pause after an answer that took `took_s`, of a request that was to be held.

        One that was held has waited already: a pause would only delay the answer.
        """
        pause_s = self.next_s(retry_after_s) - took_s
        return 0.0 if held_s >= 1 and took_s >= HELD * held_s else max(0.0, pause_s)

    def reset(self) -> None:
        """Begins with short pauses again."""
        self._pause_s = FIRST_PAUSE_S


class Deadline:
    """A moment `timeout_s` from now, or never where that is None."""

    def __init__(self, timeout_s: float | None) -> None:
        self.timeout_s = timeout_s
        self._at = None if timeout_s is None else time.monotonic() + timeout_s

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return self.cap(1.0) <= 0

    def cap(self, duration_s: float) -> float:
        """`duration_s`, or what is left if that is less; never below 0."""
        left_s = duration_s if self._at is None else self._at - time.monotonic()
        return max(0.0, min(duration_s, left_s))

    def pause(self, duration_s: float) -> None:
        """Sleeps, but not beyond the deadline."""
        time.sleep(self.cap(duration_s))


def patiently(request: Callable[[], T], patience_s: float, deadline: Deadline) -> T:
    """What `request` gives, called again while it raises `UnavailableError`.

    Repeating is safe: the same input is the same task, however often it is asked.

    Raises:
        UnavailableError: nothing worked for `patience_s`, or the deadline came first.
    """
    backoff, patience = Backoff(), Deadline(patience_s)
    while True:
        try:
            return request()
        except UnavailableError as error:
            pause_s = backoff.next_s(error.retry_after_s)
            if min(patience.cap(pause_s), deadline.cap(pause_s)) < pause_s:
                raise
            time.sleep(pause_s)
