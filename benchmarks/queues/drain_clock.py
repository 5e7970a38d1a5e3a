"""How fast a queue drains, seen from outside; start-up and the first tasks are left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

LOOK_EVERY_S = 0.01
SKIPPED = 0.1
"""The part of all tasks that is warm-up."""


class StalledError(Exception):
    """Raised when a queue was not drained in time; says how far it came."""


def tasks_per_s(samples: Iterable[tuple[float, int]], total: int) -> float:
    """The rate between the first sample with `SKIPPED` of `total` finished and the first with all.

    Args:
        samples: (seconds, tasks finished), in the order of time.
        total: how many tasks there are.

    Raises:
        StalledError: the samples end before all is finished, or there are too few of them.
    """
    began: tuple[float, int] | None = None
    finished = 0
    for at_s, finished in samples:
        if began is None and finished >= total * SKIPPED:
            began = at_s, finished
        elif began is not None and finished >= total:
            return (finished - began[1]) / (at_s - began[0])
        if finished >= total:
            raise StalledError(f"all {total} tasks were finished between two looks; take more")
    raise StalledError(f"{finished} of {total} tasks were finished when the time was over")


def looks(
    finished: Callable[[], int], check: Callable[[], None], most_s: float
) -> Iterator[tuple[float, int]]:
    """Asks `finished` again and again for `most_s` seconds; `check` may raise to end it."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < most_s:
        count = finished()
        yield time.monotonic(), count
        check()
        time.sleep(LOOK_EVERY_S)
