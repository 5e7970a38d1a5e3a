"""How many tasks a second end, by what `/history` tells again and again."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

OVER_S = 10.0
"""Over how long a rate is the mean, once so much was seen."""

Counts = Mapping[int, int]
"""By minute."""


class Rates:
    """Rates of several series of one history, each known by a name."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float, Mapping[str, Counts]]] = deque()

    def see(self, at_s: float, unix_s: float, series: Mapping[str, Counts]) -> None:
        """So it is at this time, by a clock that only goes on and by that of the minutes."""
        while len(self._seen) > 1 and at_s - self._seen[1][0] >= OVER_S:
            self._seen.popleft()
        self._seen.append((at_s, unix_s, series))

    def per_s(self, name: str) -> float:
        """Of that series: since the first look of the last ten seconds; of the last one or two
        minutes where there was none before."""
        first_s, _, before = self._seen[0]
        last_s, unix_s, now = self._seen[-1]
        counts = now.get(name, {})
        if last_s <= first_s:
            current = int(unix_s // 60) * 60
            recent = [count for minute, count in counts.items() if minute >= current - 60]
            return sum(recent) / (60 + unix_s - current)
        known = before.get(name, {})
        new = sum(max(0, count - known.get(minute, 0)) for minute, count in counts.items())
        return new / (last_s - first_s)


def series_of(history: Mapping[str, Any], *events: str) -> dict[str, Counts]:
    """Of each type how often any of these events happened, by minute."""
    minutes: Sequence[int] = history["minutes"]
    return {
        name: {
            minute: sum(counts)
            for minute, counts in zip(
                minutes, zip(*(told[event] for event in events), strict=True), strict=True
            )
        }
        for name, told in history["types"].items()
    }
