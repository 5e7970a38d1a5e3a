"""Values over time, of which the last few minutes matter."""

from __future__ import annotations

from collections import deque

KEPT_S = 3600.0
"""How long values are kept; no period may be longer."""


class History:
    """Each value holds from when it was told until the next one is."""

    def __init__(self) -> None:
        self._values: deque[tuple[float, float]] = deque()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was told yet."""
        return not self._values

    def add(self, now_s: float, value: float) -> None:
        """From now on it is `value`."""
        self._values.append((now_s, value))
        while len(self._values) > 1 and self._values[1][0] <= now_s - KEPT_S:
            self._values.popleft()

    def clear(self) -> None:
        """Forgets all."""
        self._values.clear()

    def mean(self, now_s: float, period_s: float) -> float:
        """Over the last `period_s` seconds, or as long as there are values.

        Each counts for as long as it held, so that it does not matter how often anybody looks. Of a
        single moment: that value.
        """
        total = weight = 0.0
        ends_s = now_s
        for began_s, value in reversed(self._values):
            held_s = ends_s - max(began_s, now_s - period_s)
            if held_s > 0:
                total += value * held_s
                weight += held_s
            ends_s = began_s
            if began_s <= now_s - period_s:
                break
        return total / weight if weight else self._values[-1][1]

    def highest(self, now_s: float, period_s: float) -> float:
        """The highest value told within the last `period_s` seconds, or the last one."""
        return max(self._within(now_s, period_s))

    def lowest(self, now_s: float, period_s: float) -> float:
        """The lowest value told within the last `period_s` seconds, or the last one."""
        return min(self._within(now_s, period_s))

    def _within(self, now_s: float, period_s: float) -> list[float]:
        told = [value for at_s, value in self._values if at_s > now_s - period_s]
        return told or [self._values[-1][1]]
