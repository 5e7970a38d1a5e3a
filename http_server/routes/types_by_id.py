"""Which type a task is of, by its id alone; this server need not serve it."""

from __future__ import annotations

import re

from doneyet.task_types import Registry, TaskType
from doneyet.task_types.task_id import TYPE_TAG_LENGTH, type_tag
from http_server.wire.problem import unknown_task
from task_manager.interface import TaskSubmitter
from task_manager.values import Status

_ID = re.compile("[0-9a-f]{40}")


class TypesById:
    """The types of this server, and those that others of the deployment serve."""

    def __init__(self, registry: Registry, manager: TaskSubmitter) -> None:
        self._registry, self._manager = registry, manager
        self._names: dict[str, str] = {}  # of others, by tag

    def name_of(self, task_id: str) -> str:
        """The name of the type that has such ids.

        Raises:
            Problem: there is none.
            UnavailableError: it is none of ours, and Redis is away.
        """
        task_type = self._registry.of_task(task_id)
        if task_type is not None:
            return task_type.name
        if not _ID.fullmatch(task_id):
            raise unknown_task()  # Redis is not asked what everybody can see
        tag = task_id[:TYPE_TAG_LENGTH]
        if tag not in self._names:
            self._names = {type_tag(name): name for name in self._manager.known_types()}
        try:
            return self._names[tag]
        except KeyError:
            raise unknown_task() from None

    def of_status(self, status: Status) -> TaskType | None:
        """The type as it was when the task was submitted; None where only others know that."""
        return None if status.version else self._registry.types.get(status.type)
