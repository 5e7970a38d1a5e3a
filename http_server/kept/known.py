"""The entries that this process has met, by their tasks: of these it hears when they finish."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from task_manager.kept import Kept

MOST_KNOWN = 20_000
"""Tasks; those of which nothing was heard for longest are forgotten first."""


class KnownEntries:
    """Bounded; of what is forgotten it is only heard later, when it is due."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_task: OrderedDict[str, set[str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_task)

    def remember(self, entries: Iterable[Kept]) -> None:
        """These are there."""
        with self._lock:
            for each in entries:
                self._by_task.setdefault(each.task_id, set()).add(each.id)
                self._by_task.move_to_end(each.task_id)
            while len(self._by_task) > MOST_KNOWN:
                self._by_task.popitem(last=False)

    def forget(self, kept: Kept) -> None:
        """It is over."""
        with self._lock:
            entries = self._by_task.get(kept.task_id)
            if entries is not None:
                entries.discard(kept.id)
                if not entries:
                    del self._by_task[kept.task_id]

    def of(self, task_ids: Iterable[str]) -> list[str]:
        """The entries of these tasks."""
        if not self._by_task:  # without the lock, since it is mostly so
            return []
        with self._lock:
            return [entry for each in task_ids for entry in self._by_task.get(each, ())]
