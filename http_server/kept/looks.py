"""How the tasks of entries are: many in one round trip, and alive for as long as they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from doneyet.task_types import Registry, TaskType
from http_server.submit.chain import Outcome
from http_server.webhooks.bodies import PROGRESS, STARTED
from task_manager.errors import TypeUnavailableError, UnavailableError
from task_manager.interface import TaskSubmitter
from task_manager.kept import Kept, Taken
from task_manager.values import Task

EAGER_S = 0.5
"""How often a task is looked at, and told of, at most, whose begin or progress is to be told."""
LOOK_EVERY_S = 10.0
"""How often others are."""
MOST_PER_S = 500
"""Looks of a deployment, where more than that would be due; but no task expires for that."""


class Looks:
    """Looks at what a server process has taken.

    Args:
        manager: has the tasks.
        registry: knows their types.
        input_ttl_s: how long a submit keeps a task alive whose type does not say.
    """

    def __init__(self, manager: TaskSubmitter, registry: Registry, input_ttl_s: float) -> None:
        self._manager, self._registry, self._input_ttl_s = manager, registry, input_ttl_s

    def look(self, taken: Sequence[Taken]) -> Iterable[tuple[Taken, Outcome | None]]:
        """How each task is; None: nobody here knows. What was done once is not run again."""
        submitted: list[Taken] = []
        others: dict[str, list[Taken]] = {}
        for each in taken:
            task_type = self.type_of(each.kept)
            if task_type is None:
                yield each, None
            elif each.progress.attempts or each.left_ms <= 0 or not _is_own(each, task_type):
                others.setdefault(each.kept.type, []).append(each)
            else:
                submitted.append(each)
        if submitted:
            tasks = [_task(each.kept) for each in submitted]
            yield from zip(submitted, self._manager.submit(tasks), strict=True)
        for type_name, of_type in others.items():
            ids = [each.kept.task_id for each in of_type]
            try:
                statuses: Sequence[Outcome | None] = self._manager.statuses(type_name, ids)
            except UnavailableError as error:  # those of other types do not wait for it
                statuses = [TypeUnavailableError(error)] * len(ids)
            yield from zip(of_type, statuses, strict=True)

    def type_of(self, kept: Kept) -> TaskType | None:
        """None where this server serves no such type."""
        return self._registry.types.get(kept.type)

    def pause_s(self, kept: Kept, total: int) -> float:
        """Until the next look at it, where `total` entries are kept."""
        task_type = self.type_of(kept)
        ttl_s = (task_type.input_ttl_s if task_type else None) or self._input_ttl_s
        usual_s = EAGER_S if is_eager(kept.events) else LOOK_EVERY_S
        return min(ttl_s / 2, stretched_s(usual_s, total))


def is_eager(events: Sequence[str]) -> bool:
    """Whether there is something to tell before the end."""
    return STARTED in events or PROGRESS in events


def stretched_s(pause_s: float, total: int) -> float:
    """`pause_s`, or longer, where `total` entries would be more than `MOST_PER_S`."""
    return max(pause_s, total / MOST_PER_S)


def _task(kept: Kept) -> Task:
    return Task(kept.task_id, kept.type, kept.input, awaited=True, asker=kept.asker)


def _is_own(taken: Taken, task_type: TaskType) -> bool:
    """Whether a submit here would be of the same task: each version has ids of its own."""
    return taken.kept.version == task_type.version
