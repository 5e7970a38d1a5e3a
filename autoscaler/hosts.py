"""What each host runs, from what a server tells of workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def running_by_host(workers: Iterable[Mapping[str, Any]], of: str | None = None) -> Counter[str]:
    """Tasks that each host runs, 0 of a host whose workers are idle.

    Args:
        workers: as `GET /workers` has them.
        of: a task type; None: all.
    """
    running: Counter[str] = Counter()
    for each in workers:
        if of in (None, each["type"]):
            # As task_manager/owners.py names them: host-pid-random.
            running[each["owner"].rsplit("-", 2)[0]] += each["running_count"]
    return running
