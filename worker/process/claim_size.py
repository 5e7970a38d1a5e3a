"""How many tasks to claim at once."""

from __future__ import annotations

import math

WORK_PER_CLAIM_S = 0.05
MOST = 512
"""More gains little, and keeps Redis from others for longer at a time."""
GROWTH = 4
NEWEST_WEIGHT = 0.3


class ClaimSize:
    """Learns how long a task takes, and says how many make about `WORK_PER_CLAIM_S` of work.

    So tiny tasks share a round trip, and long ones are not held while others could run them. The
    size grows at most fourfold from what was last seen to work, since one quick task says little
    of the next.
    """

    def __init__(self) -> None:
        self.seconds_per_task = 0.0
        """A moving average; 0 before anything ran."""
        self._observed = 0
        self._most_at_once = 1

    def observe(self, tasks: int, elapsed_s: float) -> None:
        """`tasks` tasks took `elapsed_s` seconds to run."""
        newest = elapsed_s / tasks
        weight = NEWEST_WEIGHT if self._observed else 1.0
        self.seconds_per_task += weight * (newest - self.seconds_per_task)
        self._observed += tasks
        self._most_at_once = max(tasks, self._most_at_once // 2)

    def limit(self, batch_size: int = 1) -> int:
        """How many to claim: whole batches of `batch_size`, at least one batch."""
        if not self._observed:
            return batch_size
        wanted = WORK_PER_CLAIM_S / max(self.seconds_per_task, 1e-9)
        tasks = min(wanted, MOST, GROWTH * self._most_at_once)
        return max(1, math.floor(tasks / batch_size)) * batch_size
