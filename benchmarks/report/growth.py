"""Whether memory grows: what is judged of samples over time."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

MOST_MORE_MIB = 64.0
LEAK_MIB = 1.0
LEAK_OF_S = 300.0
"""What grows by `LEAK_MIB` in so long is to be seen."""
SURELY = 0.5
"""What is called a leak: this part of it, since noise hides some."""
LONG_S = 1800.0
"""Shorter runs cannot tell a leak from caches that fill and a heap that settles."""

WARM_UP, LONGEST_WARM_UP_S = 0.4, 1200.0
_PIECES = 20


def warm_up_of(seconds: float) -> float:
    """Which part of a run is not judged."""
    return min(WARM_UP, LONGEST_WARM_UP_S / seconds)


def growth_mib(values: Sequence[float]) -> float:
    """How much more the last fifth has than the first, by medians."""
    fifth = max(1, len(values) // 5)
    return statistics.median(values[-fifth:]) - statistics.median(values[:fifth])


def leak_mib(times_s: Sequence[float], values: Sequence[float]) -> float:
    """How much more there is after `LEAK_OF_S`, in the half of the time in which it is less: one
    step up is no leak."""
    middle = len(values) // 2
    halves = (times_s[:middle], values[:middle]), (times_s[middle:], values[middle:])
    return LEAK_OF_S * min(_slope(*half) for half in halves)


def _slope(times_s: Sequence[float], values: Sequence[float]) -> float:
    """By how much a second adds: the median of the slopes between all pairs (Theil and Sen) of what
    is left at the least in each piece of the time, so that what comes and goes adds nothing."""
    size = max(2, -(-len(values) // _PIECES))
    floors = [
        (times_s[at], statistics.quantiles(values[at : at + size], n=10)[0])
        for at in range(0, len(values) - size + 1, size)
    ]
    slopes = [
        (later - earlier) / (later_s - earlier_s)
        for (earlier_s, earlier), (later_s, later) in itertools.combinations(floors, 2)
    ]
    return statistics.median(slopes) if slopes else 0.0


def verdict(times_s: Sequence[float], values: Sequence[float]) -> str:
    """What is wrong with values (MiB) after the warm-up; empty: they are flat.

    A run of more than `LONG_S`, its warm-up included, is judged by both; a shorter one for
    `MOST_MORE_MIB`.
    """
    if (more := growth_mib(values)) > MOST_MORE_MIB:
        return f"grew by {more:.0f} MiB, more than {MOST_MORE_MIB:.0f}"
    leak = leak_mib(times_s, values)
    if times_s[-1] > LONG_S and leak > SURELY * LEAK_MIB:
        return f"grows by {leak:.2f} MiB in each {LEAK_OF_S / 60:.0f} minutes"
    return ""
