"""A task of the synchronous queue mode, which is in this process alone."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from task_manager.listing import ListedTask, Place, error_in, place_in_time
from task_manager.values import State, Status, Task


@dataclass
class Entry:
    """One task from its submission until its answer is forgotten."""

    task: Task
    submitted_ms: int
    state: State = State.WAITING
    body: bytes | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    expires_ms: int | None = None
    expires_at: float = 0.0  # on the monotonic clock
    began_at: float = 0.0  # likewise: when it was submitted, then when it began to run
    terminal: threading.Event = field(default_factory=threading.Event)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, as far as that is its sender's."""
        return len(self.task.input) + len(self.body or b"")

    def status(self, load: int) -> Status:
        """What its client is told, with how many tasks of its type wait or run."""
        return Status(
            self.task.id,
            self.task.type,
            self.state,
            load,
            body=self.body,
            attempts=int(self.started_ms is not None),
            submitted_ms=self.submitted_ms,
            started_ms=self.started_ms,
            finished_ms=self.finished_ms,
            expires_ms=self.expires_ms,
        )

    def listed(self, *, in_turn: bool) -> ListedTask:
        """What a list says of it; `in_turn` where the list has waiting tasks in their order."""
        since_ms = self.finished_ms or self.started_ms or self.submitted_ms
        place = place_in_time(since_ms, self.task.id)
        if in_turn:
            place = Place(self.task.type, self.submitted_ms, self.task.id)
        return ListedTask(
            place,
            self.task.type,
            self.state,
            int(self.started_ms is not None),
            self.submitted_ms,
            self.started_ms,
            self.finished_ms,
            error=error_in(self.body) if self.state is State.FAILED and self.body else None,
        )
