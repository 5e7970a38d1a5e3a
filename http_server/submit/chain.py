"""What the layers of submitting have in common.

`parse` makes tasks of a request and `render` makes a response of their statuses. Between them is a
chain of layers with one method, each of which wraps the next and can be taken out:

    Rechecking?  →  LongPoll  →  StatusCache  →  SharedRoundTrips  →  the task manager

docs/explanation/decisions.md says what each brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from doneyet.task_types import TaskType
from http_server.submit.wake import Wake
from task_manager.errors import NoStatusError
from task_manager.values import Status, Task

Outcome = Status | NoStatusError
"""What a submit says of one task; the error where its type has too many."""

_OVERHEAD_BYTES = 600  # of Python objects around one task


@dataclass(slots=True)
class ParsedTask(Task):
    """A task, and what its answer is made of besides its status."""

    task_type: TaskType
    echo: bytes
    """The inputs that the answer repeats, as a JSON object."""

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.input) + len(self.echo) + _OVERHEAD_BYTES

    def as_awaited(self) -> ParsedTask:
        """What somebody submits again who waits for it: a copy, since requests share tasks."""
        return replace(self, awaited=True)


class Layer(Protocol):
    """A part of the chain; the task manager's own `submit` is the last."""

    def submit(self, tasks: Sequence[ParsedTask], *, discard: bool = False) -> list[Outcome]:
        """As `TaskSubmitter.submit`."""


class Sleeper(Protocol):
    """A request that waits for the answers to what it submits."""

    wake: Wake

    def sleeps_on(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether these are nothing to be woken for; then it is woken when there is more."""


class SleepingLayer(Protocol):
    """A part of the chain that may leave a `sleeper` asleep; then it returns late."""

    def submit(
        self,
        tasks: Sequence[ParsedTask],
        *,
        discard: bool = False,
        sleeper: Sleeper | None = None,
    ) -> list[Outcome]:
        """As `Layer.submit`."""


class Submitted(NamedTuple):
    """What came of a submit that may have waited."""

    outcomes: Sequence[Outcome]
    waited: bool
    """Whether the wish to wait was respected."""


class WaitingLayer(Protocol):
    """A part of the chain above `LongPoll`."""

    def submit(
        self, tasks: Sequence[ParsedTask], *, discard: bool = False, wait_s: float | None = None
    ) -> Submitted:
        """As `Layer.submit` when all tasks are terminal, or `wait_s` later."""


def is_final(outcome: Outcome) -> bool:
    """Whether waiting would change nothing."""
    return isinstance(outcome, NoStatusError) or outcome.state.terminal
