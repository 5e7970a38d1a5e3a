"""Filling doneyet's queues, and counting what is left in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from doneyet.settings import Settings
from doneyet.task_types import TaskType, load_registry
from task_manager import open_task_manager
from task_manager.interface import TaskManager
from task_manager.values import Task

CHUNK = 1000


@contextmanager
def manager_for(settings: Settings) -> Iterator[tuple[TaskManager, dict[str, TaskType]]]:
    """A task manager of our own beside those of the programs, and the task types."""
    types = load_registry(settings).types
    manager = open_task_manager(settings, types)
    try:
        yield manager, types
    finally:
        manager.close()


def numbered(task_type: TaskType, numbers: Sequence[int]) -> list[Task]:
    """Tasks whose input is one `number` each."""
    inputs = [b'{"number":%d}' % number for number in numbers]
    return [Task(task_type.task_id(text), task_type.name, text) for text in inputs]


def fill(manager: TaskManager, task_type: TaskType, numbers: range) -> None:
    """Asks for `numbers`, which nobody asked for before."""
    for start in range(0, len(numbers), CHUNK):
        manager.submit(numbered(task_type, numbers[start : start + CHUNK]))


def left(manager: TaskManager, task_type: TaskType) -> int:
    """Tasks that wait or run."""
    (load,) = manager.load([task_type.name])
    return load.waiting + load.running
