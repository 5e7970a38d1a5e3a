"""Whether to claim the next tasks while some still run."""

from __future__ import annotations

AHEAD_S = 0.1
"""How long before a worker process runs dry it asks for more."""

HELD_MOST_S = 0.25
"""How long claims may wait unbegun; after that they are given back, since others may be idle."""

GROUPED_HELD_MOST_S = 2.0
"""How long claims may wait that are grouped by cost, where so many tasks wait that nobody is idle.
Grouping needs many inputs to choose from, and running them takes longer than `HELD_MOST_S`."""


def wait_before_prefetch_s(*, backlog: bool, held: int, limit: int, left_s: float) -> float | None:
    """How many seconds from now to claim more; 0 now, None not before something finishes.

    Args:
        backlog: the last claim got all that it asked for, so more is likely waiting.
        held: tasks that are running or claimed.
        limit: how many the next claim would take.
        left_s: how long what is held will take from now, as far as that is known.
    """
    if not backlog or held > limit:
        return None
    return max(0.0, left_s - AHEAD_S)
