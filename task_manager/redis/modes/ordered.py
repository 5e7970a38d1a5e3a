"""The ordered queue mode: as the distributed one, but first come, first served.

Beside the sorted set by when tasks expire, each type has one by arrival, and a claim takes its
lowest. Arrival is the time of Redis in µs, moved on where it would not be later than that of a task
that waits; tasks of one submit have the order in which they stand there. A task that comes back
unbegun has the place that it had.

What is in order is how tasks are handed out, per type. Several worker processes run side by side,
and each may hold a little work, so tasks that were handed out together may begin, and end, in
another order.
"""

from __future__ import annotations

from typing import ClassVar

from task_manager.redis.modes.distributed import DistributedManager
from task_manager.values import Promises


class OrderedManager(DistributedManager):
    """Waiting tasks of each type by arrival, too."""

    promises: ClassVar[Promises] = Promises(ordered=True)
    pick: ClassVar[str] = "oldest"
