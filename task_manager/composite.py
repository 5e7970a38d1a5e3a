"""Submitting where some task types wait elsewhere than the rest: those that supervisors coordinate.

The random queue mode's pool and RQ's queues give any task to any worker process. Coordinated types
must come to supervisors only, so there they wait as in the distributed queue mode. Both sides
publish what finished on one channel of one Redis, so one watch hears all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from task_manager.errors import NoStatusError
from task_manager.forwarding import Forwarding
from task_manager.interface import TaskSubmitter
from task_manager.listing import MOST_WORKERS, Page, Place, WorkerSeen, merged
from task_manager.tally import Tally
from task_manager.values import Load, State, Status, Task


class Routed(Forwarding):
    """Sends each call to `main`, or for a type in `elsewhere_types` to `elsewhere`."""

    def __init__(
        self, main: TaskSubmitter, elsewhere: TaskSubmitter, elsewhere_types: Collection[str]
    ) -> None:
        self.promises = main.promises  # type: ignore[misc]
        super().__init__(main)
        self._elsewhere = elsewhere
        self._elsewhere_types = frozenset(elsewhere_types)

    def submit(
        self, tasks: Sequence[Task], *, discard: bool = False
    ) -> list[Status | NoStatusError]:
        """As in `TaskSubmitter`; one round trip to each of the two that has tasks here."""
        places: dict[bool, list[int]] = {}
        for place, task in enumerate(tasks):
            places.setdefault(task.type in self._elsewhere_types, []).append(place)
        statuses: dict[int, Status | NoStatusError] = {}
        for elsewhere, here in places.items():
            manager = self._elsewhere if elsewhere else self._main
            answers = manager.submit([tasks[place] for place in here], discard=discard)
            statuses.update(zip(here, answers, strict=True))
        return [statuses[place] for place in range(len(tasks))]

    def reachable(self, type_names: Sequence[str]) -> list[str]:
        return self._main.reachable(type_names)  # both are on one Redis

    def status(self, type_name: str, task_id: str) -> Status | None:
        return self._of(type_name).status(type_name, task_id)

    def statuses(
        self, type_name: str, task_ids: Sequence[str], *, keep_s: float | None = None
    ) -> list[Status | None]:
        return self._of(type_name).statuses(type_name, task_ids, keep_s=keep_s)

    def cancel(self, type_name: str, task_id: str) -> Status | None:
        return self._of(type_name).cancel(type_name, task_id)

    def load(self, type_names: Sequence[str]) -> list[Load]:
        loads = {
            load.type: load
            for manager, names in self._by_manager(type_names)
            for load in manager.load(names)
        }
        return [loads[name] for name in type_names]

    def other_versions(self, type_names: Sequence[str]) -> list[Load]:
        by_manager = self._by_manager(type_names)
        return [load for manager, names in by_manager for load in manager.other_versions(names)]

    def pause(self, type_name: str, *, paused: bool) -> None:
        self._of(type_name).pause(type_name, paused=paused)

    def oldest(self, type_names: Sequence[str]) -> list[float | None]:
        waits_s: dict[str, float | None] = {}
        for manager, names in self._by_manager(type_names):
            waits_s.update(zip(names, manager.oldest(names), strict=True))
        return [waits_s[name] for name in type_names]

    def tallies(self, type_names: Sequence[str]) -> list[Tally]:
        tallies = {
            tally.type: tally
            for manager, names in self._by_manager(type_names)
            for tally in manager.tallies(names)
        }
        return [tallies[name] for name in type_names]

    def hours(self, type_names: Sequence[str]) -> list[Mapping[int, Mapping[str, int]]]:
        hours: dict[str, Mapping[int, Mapping[str, int]]] = {}
        for manager, names in self._by_manager(type_names):
            hours.update(zip(names, manager.hours(names), strict=True))
        return [hours[name] for name in type_names]

    def listed(
        self,
        type_names: Sequence[str],
        state: State | None = None,
        *,
        prefix: str = "",
        limit: int = 50,
        after: Place | None = None,
    ) -> Page:
        """As in `TaskSubmitter`; a round trip to each of the two that has types here."""
        pages = [
            manager.listed(names, state, prefix=prefix, limit=limit, after=after)
            for manager, names in self._by_manager(type_names)
        ]
        return merged(pages, limit)

    def cancel_waiting(self, type_name: str, most: int) -> tuple[list[str], bool]:
        return self._of(type_name).cancel_waiting(type_name, most)

    def workers(self, type_names: Sequence[str]) -> list[WorkerSeen]:
        by_manager = self._by_manager(type_names)
        found = [each for manager, names in by_manager for each in manager.workers(names)]
        return found[:MOST_WORKERS]

    def close(self) -> None:
        super().close()
        self._elsewhere.close()

    def _by_manager(self, type_names: Sequence[str]) -> list[tuple[TaskSubmitter, list[str]]]:
        """Those of the two that have any of these types, and which."""
        both = (self._main, self._elsewhere)
        of_each = [(each, [n for n in type_names if self._of(n) is each]) for each in both]
        return [(manager, names) for manager, names in of_each if names]

    def _of(self, type_name: str) -> TaskSubmitter:
        return self._elsewhere if type_name in self._elsewhere_types else self._main
