"""What a coordinated task type works with: it submits other tasks, as any client does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from doneyet.task_types.execution import Answer
from doneyet.task_types.registry import Registry


class StoppedError(Exception):
    """Raised when a coordinated task is to end now: somebody cancelled it, or its worker stops."""


class AskedTask(NamedTuple):
    """Another task: its type's name, its id, its canonical input."""

    type: str
    id: str
    input: bytes


class Coordination(Protocol):
    """One run of a coordinated task."""

    @property
    def registry(self) -> Registry:
        """All task types, also those that this worker does not run."""
        ...

    def ask(self, tasks: Sequence[AskedTask]) -> list[Answer | None]:
        """The answer of each, in order; None while it is unfinished. Keeps all of them alive.

        A task that meets its type's `max_load` is unfinished, too: try again later. Waits while
        Redis is away.

        Raises:
            StoppedError: this task is to end now.
        """
        ...

    def progress(self, fraction: float, message: str = "") -> None:
        """Tells clients how far it is, from 0 to 1."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits.

        Raises:
            StoppedError: this task is to end now.
        """
        ...
