"""Whether to claim the next tasks while some still run."""

from __future__ import annotations

AHEAD_S = 0.1
"""How long before a worker process runs dry it asks for more."""

HELD_MOST_S = 0.25
"""How long claims may wait unbegun; after that they are given back, since others may be idle."""


def wait_before_prefetch_s(
    *, backlog: bool, held: int, limit: int, seconds_per_task: float, running_for_s: float
) -> float | None:
    """How many seconds from now to claim more; 0 now, None not before something finishes.

    Args:
        backlog: the last claim got all that it asked for, so more is likely waiting.
        held: tasks that are running or claimed.
        limit: how many the next claim would take.
        seconds_per_task: what a task takes, on average.
        running_for_s: how long the batch that runs now has been running.
    """
    if not backlog or held > limit:
        return None
    left_s = held * seconds_per_task - running_for_s
    return max(0.0, left_s - AHEAD_S)
