"""The entries that this process has met, by their tasks: of these it hears when they finish."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from task_manager.kept import Kept

MOST_KNOWN = 20_000
"""Entries, of which one task may have many; those that were met first are forgotten first."""


class KnownEntries:
    """Bounded; of what is forgotten it is only heard later, when it is due."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: OrderedDict[str, str] = OrderedDict()
        self._by_task: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def remember(self, entries: Iterable[Kept]) -> None:
        """These are there."""
        with self._lock:
            for each in entries:
                self._tasks[each.id] = each.task_id
                self._tasks.move_to_end(each.id)
                self._by_task.setdefault(each.task_id, set()).add(each.id)
            while len(self._tasks) > MOST_KNOWN:
                self._drop(next(iter(self._tasks)))

    def forget(self, kept: Kept) -> None:
        """It is over."""
        with self._lock:
            if kept.id in self._tasks:
                self._drop(kept.id)

    def of(self, task_ids: Iterable[str]) -> list[str]:
        """The entries of these tasks."""
        if not self._by_task:  # without the lock, since it is mostly so
            return []
        with self._lock:
            return [entry for each in task_ids for entry in self._by_task.get(each, ())]

    def _drop(self, entry: str) -> None:
        task_id = self._tasks.pop(entry)
        entries = self._by_task[task_id]
        entries.discard(entry)
        if not entries:
            del self._by_task[task_id]
