"""A `TaskSubmitter` in memory, whose tasks are finished and whose Redis goes away by command."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from task_manager.errors import (
    AlreadyTerminalError,
    CannotListError,
    CannotPauseError,
    LargeAnswersError,
    NoStatusError,
    OverloadedError,
    TypeUnavailableError,
    UnavailableError,
)
from task_manager.interface import TaskSubmitter
from task_manager.listing import (
    ListedTask,
    Page,
    Place,
    WorkerSeen,
    error_in,
    merged,
    place_in_time,
)
from task_manager.tally import Tally
from task_manager.values import Load, Memory, Promises, State, Status, Task


class FakeManager(TaskSubmitter):
    """Counts round trips in `rounds`; `down`, `full` and `slow` are what a test turns."""

    promises: ClassVar[Promises] = Promises()

    def __init__(self) -> None:
        self.tasks: dict[str, Status] = {}
        self.inputs: dict[str, bytes] = {}
        self.rounds: list[list[Task]] = []
        self.submits = 0  # those that have done what they were to do
        self.rounds_at_s: list[float] = []
        self.discarded: list[str] = []
        self.looks: list[float] = []  # when the statuses of tasks were asked for
        self.failures = 0
        self.down = False
        self.broken = False
        self.full = False
        self.oldest_s: float | None = None
        self.others: list[Load] = []
        self.paused: set[str] = set()
        self.types_away: set[str] = set()
        """Types that are on a node of a cluster that does not answer."""
        self.cannot_pause = False
        self.cannot_list = False
        self.seen_workers: list[WorkerSeen] = []
        self.told_memory: Memory | None = None
        self.events: dict[str, int] = {}
        self.minutes: dict[int, dict[str, int]] = {}
        self.told_hours: dict[int, dict[str, int]] = {}
        self.hours_asked = 0
        self.most_told = 10**9
        """Finished tasks of which one round trip tells."""
        self.gate = threading.Event()
        self.gate.set()
        self._on_finished: list[Callable[[Sequence[str]], None]] = []
        self._on_connected: list[Callable[[bool], None]] = []
        self._lock = threading.Lock()

    def submit(
        self, tasks: Sequence[Task], *, discard: bool = False
    ) -> list[Status | NoStatusError]:
        self.rounds.append(list(tasks))
        self.rounds_at_s.append(time.monotonic())
        self._check()
        assert self.gate.wait(10)
        with self._lock:
            outcomes = [self._submit_one(task, discard=discard) for task in tasks]
            self.submits += 1
            loads = {name: self._load(name) for name in {task.type for task in tasks}}
        for outcome in outcomes:
            if isinstance(outcome, Status):
                outcome.load = loads[outcome.type]
        told = [place for place, each in enumerate(outcomes) if getattr(each, "body", None)]
        for place in told[self.most_told :]:
            outcomes[place] = LargeAnswersError(1)
        return outcomes

    def status(self, type_name: str, task_id: str) -> Status | None:
        self._check()
        self.looks.append(time.monotonic())
        status = self.tasks.get(task_id)
        if status is None or status.state.terminal:
            return status
        return replace(status, input=self.inputs[task_id], load=self._load(type_name))

    def cancel(self, type_name: str, task_id: str) -> Status | None:
        self._check()
        status = self.tasks.get(task_id)
        if status is None:
            return None
        if status.state.terminal:
            raise AlreadyTerminalError(f"task {task_id} is finished already")
        status.state = State.CANCELLED
        for call in self._on_finished:
            call([task_id])
        return replace(status)

    def reachable(self, type_names: Sequence[str]) -> list[str]:
        self._check()
        names = [name for name in type_names if name not in self.types_away]
        if not names:
            raise UnavailableError("Redis at nowhere is away in part")
        return names

    def load(self, type_names: Sequence[str]) -> list[Load]:
        self._check()
        if self.types_away & {*type_names}:
            raise UnavailableError("Redis at nowhere is away in part")
        return [
            Load(name, self._load(name), 0, 1, paused=name in self.paused) for name in type_names
        ]

    def other_versions(self, type_names: Sequence[str]) -> list[Load]:
        self._check()
        return self.others

    def pause(self, type_name: str, *, paused: bool) -> None:
        self._check()
        if self.cannot_pause:
            raise CannotPauseError("not here")
        (self.paused.add if paused else self.paused.discard)(type_name)

    def oldest(self, type_names: Sequence[str]) -> list[float | None]:
        self._check()
        return [self.oldest_s for _ in type_names]

    def tallies(self, type_names: Sequence[str]) -> list[Tally]:
        self._check()
        return [Tally(name, self.events, self.minutes) for name in type_names]

    def hours(self, type_names: Sequence[str]) -> list[Mapping[int, Mapping[str, int]]]:
        self._check()
        self.hours_asked += 1
        return [self.told_hours for _ in type_names]

    def listed(
        self,
        type_names: Sequence[str],
        state: State | None = None,
        *,
        prefix: str = "",
        limit: int = 50,
        after: Place | None = None,
    ) -> Page:
        self._check()
        if self.cannot_list and state is State.WAITING:
            raise CannotListError("random")
        told = [
            _listed(one, in_turn=state is State.WAITING)
            for one in self.tasks.values()
            if one.type in type_names
            and state in (None, one.state)
            and one.id.startswith(prefix)
            and not (self.cannot_list and one.state is State.WAITING)
        ]
        return merged([Page([one for one in told if after is None or one.place > after])], limit)

    def cancel_waiting(self, type_name: str, most: int) -> tuple[list[str], bool]:
        self._check()
        if self.cannot_list:
            raise CannotListError("random")
        waiting = [
            one.id
            for one in self.tasks.values()
            if one.type == type_name and one.state is State.WAITING
        ]
        for task_id in waiting[:most]:
            self.cancel(type_name, task_id)
        return waiting[:most], len(waiting) > most

    def workers(self, type_names: Sequence[str]) -> list[WorkerSeen]:
        self._check()
        return [each for each in self.seen_workers if each.type in type_names]

    def memory(self) -> Memory | None:
        return self.told_memory

    def watch(
        self,
        on_finished: Callable[[Sequence[str]], None],
        on_connected: Callable[[bool], None],
        on_failed: Callable[[Exception], None] = lambda _error: None,
    ) -> FakeManager:
        self._on_finished.append(on_finished)
        self._on_connected.append(on_connected)
        on_connected(True)
        return self

    def ping(self) -> None:
        self._check()

    def close(self) -> None:
        """Nothing to let go of."""

    def connect(self, *, connected: bool) -> None:
        """News comes, or doesn't."""
        for call in self._on_connected:
            call(connected)

    def finish(self, task_id: str, body: bytes, state: State = State.DONE) -> None:
        """Ends a task and tells about it."""
        with self._lock:
            status = self.tasks[task_id]
            status.state, status.body, status.finished_ms = state, body, 1_700_000_000_123
        for call in self._on_finished:
            call([task_id])

    def run(self, task_id: str, fraction: float, message: str) -> None:
        """A task runs, and has come so far."""
        with self._lock:
            status = self.tasks[task_id]
            status.state, status.attempts = State.RUNNING, 1
            status.progress = fraction, message

    def finish_all(self) -> None:
        """Ends every unfinished task with the same output."""
        for status in list(self.tasks.values()):
            if not status.state.terminal:
                self.finish(status.id, b'{"number":6,"factorization":[],"factorization_str":"x"}')

    def _submit_one(self, task: Task, *, discard: bool) -> Status | NoStatusError:
        if task.type in self.types_away:
            return TypeUnavailableError(UnavailableError("Redis at nowhere is away in part"))
        status = self.tasks.get(task.id)
        if discard and status is not None and status.state.terminal:
            self.discarded.append(task.id)
            status = None
        if status is not None and status.state is State.CANCELLED and not task.awaited:
            status = None
        if status is None:
            if self.full:
                return OverloadedError(task.type, 100)
            status = Status(task.id, task.type, State.WAITING, 0, submitted_ms=1_700_000_000_000)
            self.tasks[task.id], self.inputs[task.id] = status, task.input
        return replace(status, load=0)

    def _load(self, name: str) -> int:
        return sum(not one.state.terminal for one in self.tasks.values() if one.type == name)

    def _check(self) -> None:
        if self.down:
            self.failures += 1
            raise UnavailableError("Redis at nowhere cannot be reached")
        if self.broken:
            raise KeyError("secret internals")


def _listed(one: Status, *, in_turn: bool) -> ListedTask:
    since_ms = one.finished_ms or one.started_ms or one.submitted_ms or 0
    failed = one.body if one.state is State.FAILED else None
    return ListedTask(
        Place(one.type, since_ms, one.id) if in_turn else place_in_time(since_ms, one.id),
        *(one.type, one.state, one.attempts, one.submitted_ms, one.started_ms, one.finished_ms),
        progress=one.progress,
        error=error_in(failed) if failed else None,
    )
