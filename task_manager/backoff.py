"""Waiting longer after each failure, not in step with others."""

from __future__ import annotations

import random


class Backoff:
    """Delays that double from `first_s` up to `most_s`, each spread by a quarter at random.

    With `at_once` the delay after the first failure is 0.
    """

    def __init__(self, first_s: float, most_s: float, *, at_once: bool = False) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._at_once = at_once
        self._failures = 0

    def next_s(self) -> float:
        """How long to wait after one more failure."""
        doublings = self._failures - self._at_once
        self._failures += 1
        if doublings < 0:
            return 0.0
        # Bounded first: a float has no 2.0 ** 1024.
        delay_s = min(self._most_s, self._first_s * 2.0 ** min(doublings, 60))
        return delay_s * random.uniform(0.75, 1.25)

    def reset(self) -> None:
        """All is well again."""
        self._failures = 0
