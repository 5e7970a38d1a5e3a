"""Jobs: task types that submit other tasks, as any client does, and wait for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from doneyet.task_types.answer import Answer
from doneyet.task_types.base import TaskType

if TYPE_CHECKING:
    from doneyet.task_types.registry import Registry


class StoppedError(Exception):
    """Raised when a job is to end now: somebody cancelled it, or its worker stops."""


class AskedTask(NamedTuple):
    """Another task: its type's name, its id, its canonical input."""

    type: str
    id: str
    input: bytes


class JobContext(Protocol):
    """What `coordinate(self, item, context)` gets besides its input: one run of a job."""

    @property
    def registry(self) -> Registry:
        """All task types, also those that this worker does not run."""
        ...

    def ask(self, tasks: Sequence[AskedTask]) -> list[Answer | None]:
        """The answer of each, in order; None while it is unfinished. Keeps all of them alive.

        A task that meets its type's `max_load` is unfinished, too: try again later. One that
        somebody cancels after it was asked has failed, with the code `cancelled`. Waits while
        Redis is away.

        Raises:
            StoppedError: this job is to end now.
        """
        ...

    def progress(self, fraction: float, message: str = "") -> None:
        """Tells clients how far it is, from 0 to 1."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits.

        Raises:
            StoppedError: this job is to end now.
        """
        ...


class Job(TaskType):
    """A task type for work that mostly waits, such as submitting many other tasks. Subclass it.

    It defines `coordinate` instead of `run`. A thread of a worker's supervisor calls that, so it
    may wait for as long as it likes and never occupies a model; batches and `timeout_s` are none
    of its business.
    """

    coordinated = True

    coordinate: Callable[[Any, JobContext], Any]
    """`coordinate(self, item, context)`: the `Output` for one `Input`.

    A `StoppedError` from `context` is to be passed on: the task goes back. Whatever else it raises
    fails the task; the message is shown to the client.
    """

    rechecked_by: Job | None = None
    """A job that says whether an answer of this one still holds, where answers are about what can
    change outside, as files do. Each time a done task is submitted again, that runs with what
    `recheck` gives; where it answers `{"holds": false}`, the task runs again. It is declared here
    and nowhere else, has all its limits, and no endpoint."""

    def recheck(self, answer: dict[str, Any]) -> dict[str, Any] | None:
        """The input of `rechecked_by` for a finished `answer` (it gets `asked` as well, which is
        never the same); None if there is nothing to check."""
        return None
