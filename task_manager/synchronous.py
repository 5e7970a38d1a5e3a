"""The synchronous queue mode: no Redis, one thread, the answer comes in the same request.

Tasks wait in a queue of this process and run one after the other, first come, first served.
`submit` returns when all of its tasks are terminal. Answers are kept for their ttl, but only so
many and so much, the least recently asked for goes first; they end with the process.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from task_manager.errors import (
    AlreadyTerminalError,
    CannotPauseError,
    NoStatusError,
    OverloadedError,
    UnavailableError,
)
from task_manager.interface import TaskSubmitter, Watch
from task_manager.listing import (
    MOST_TASKS_OF_WORKER,
    Page,
    Place,
    RunningTask,
    WorkerSeen,
    merged,
)
from task_manager.synchronous_entry import Entry
from task_manager.tally import LiveTally, Runs, Tally, events_of_wait
from task_manager.values import Limits, Load, Promises, Result, State, Status, Task

log = logging.getLogger(__name__)

MOST_RESULTS = 10_000
MOST_RESULT_BYTES = 64 * 1024 * 1024


class Synchronous(TaskSubmitter):
    """A `TaskSubmitter` in one process.

    Args:
        limits: of each task type.
        run: answers one task; it may raise, the thread goes on.
        stop: ends the run of a task that was cancelled; `run` then returns soon.
        close: ends whatever runs, and can run nothing more.
        grace_s: how long the running task has to finish when this is closed.
    """

    promises: ClassVar[Promises] = Promises(
        uses_redis=False,
        ordered=True,
        claims=False,
        answers_at_once=True,
        progress=False,
        retries_alone=False,
        batches=False,
        one_round_trip=False,
        leases=False,
    )

    def __init__(
        self,
        limits: Mapping[str, Limits],
        run: Callable[[Task], Result],
        *,
        stop: Callable[[str], None] = lambda _task_id: None,
        close: Callable[[], None] = lambda: None,
        grace_s: float | None = None,
        most_results: int = MOST_RESULTS,
        most_result_bytes: int = MOST_RESULT_BYTES,
    ) -> None:
        self._limits = limits
        self._run, self._stop, self._close, self._grace_s = run, stop, close, grace_s
        self._most_results, self._most_bytes = most_results, most_result_bytes
        self._lock = threading.Condition()
        self._waiting: deque[Entry] = deque()
        self._unfinished: dict[str, Entry] = {}
        self._finished: OrderedDict[str, Entry] = OrderedDict()
        self._finished_bytes = 0
        self._loads: dict[str, list[int]] = {}  # type: [waiting, running]
        self._tallies = {name: LiveTally() for name in limits}
        self._watches: list[_CallWatch] = []
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="synchronous", daemon=True)
        self._thread.start()

    def submit(
        self, tasks: Sequence[Task], *, discard: bool = False
    ) -> list[Status | NoStatusError]:
        with self._lock:
            if self._closed:
                raise UnavailableError("this server is shutting down; submit to another one")
            dropped = [t.id for t in tasks if self._drop(t.id, only_cancelled=not discard)]
            taken = [self._enter(task) for task in tasks]
            self._lock.notify_all()
        self._tell(dropped)
        for entry in taken:
            if isinstance(entry, Entry):
                entry.terminal.wait()
        with self._lock:
            return [
                entry if isinstance(entry, NoStatusError) else self._status_of(entry)
                for entry in taken
            ]

    def status(self, type_name: str, task_id: str) -> Status | None:
        with self._lock:
            entry = self._find(task_id)
            return None if entry is None else self._status_of(entry)

    def cancel(self, type_name: str, task_id: str) -> Status | None:
        """Cancels a waiting or running task."""
        with self._lock:
            entry = self._find(task_id)
            if entry is None:
                return None
            if entry.state.terminal:
                raise AlreadyTerminalError(f"task {task_id} is finished already")
            was_running = entry.state is State.RUNNING
            if not was_running:
                self._waiting.remove(entry)
            ttl_s = self._limits[type_name].failure_ttl_s or 1.0
            self._end(entry, State.CANCELLED, None, ttl_s)
            status = self._status_of(entry)
        if was_running:
            self._stop(task_id)
        self._tell([task_id])
        return status

    def load(self, type_names: Sequence[str]) -> list[Load]:
        with self._lock:
            workers = int(not self._closed)
            return [Load(name, *self._counts(name), workers) for name in type_names]

    def other_versions(self, type_names: Sequence[str]) -> list[Load]:
        return []

    def pause(self, type_name: str, *, paused: bool) -> None:
        raise CannotPauseError("the synchronous queue mode answers each request as it comes")

    def oldest(self, type_names: Sequence[str]) -> list[float | None]:
        now = time.monotonic()
        with self._lock:
            waits_s: dict[str, float] = {}
            for entry in self._waiting:  # the oldest of each type comes first
                waits_s.setdefault(entry.task.type, now - entry.began_at)
        return [waits_s.get(name) for name in type_names]

    def tallies(self, type_names: Sequence[str]) -> list[Tally]:
        with self._lock:
            return [self._tallies[name].as_tally(name) for name in type_names]

    def hours(self, type_names: Sequence[str]) -> list[Mapping[int, Mapping[str, int]]]:
        with self._lock:
            return [self._tallies[name].hours() for name in type_names]

    def listed(
        self,
        type_names: Sequence[str],
        state: State | None = None,
        *,
        prefix: str = "",
        limit: int = 50,
        after: Place | None = None,
    ) -> Page:
        names = {*type_names}
        now = time.monotonic()
        with self._lock:
            known = [*self._unfinished.values(), *self._finished.values()]
            told = [
                entry.listed(in_turn=state is State.WAITING)
                for entry in known
                if entry.task.type in names
                and state in (None, entry.state)
                and entry.task.id.startswith(prefix)
                and (entry.expires_ms is None or entry.expires_at > now)
            ]
        return merged([Page([one for one in told if after is None or one.place > after])], limit)

    def cancel_waiting(self, type_name: str, most: int) -> tuple[list[str], bool]:
        ttl_s = self._limits[type_name].failure_ttl_s or 1.0
        with self._lock:
            found = [entry for entry in self._waiting if entry.task.type == type_name]
            for entry in found[:most]:
                self._waiting.remove(entry)
                self._end(entry, State.CANCELLED, None, ttl_s)
        ids = [entry.task.id for entry in found[:most]]
        self._tell(ids)
        return ids, len(found) > most

    def workers(self, type_names: Sequence[str]) -> list[WorkerSeen]:
        """The one thread, for each type."""
        with self._lock:
            if self._closed:
                return []
            running = [e for e in self._unfinished.values() if e.state is State.RUNNING]
            return [self._worker_for(name, running) for name in type_names]

    def _worker_for(self, name: str, running: Sequence[Entry]) -> WorkerSeen:
        tasks = [
            RunningTask(entry.task.id, entry.started_ms or 0)
            for entry in running
            if entry.task.type == name
        ]
        told = tasks[:MOST_TASKS_OF_WORKER]
        return WorkerSeen("this-server", name, self._limits[name].version, told, len(tasks))

    def watch(
        self,
        on_finished: Callable[[Sequence[str]], None],
        on_connected: Callable[[bool], None],
        on_failed: Callable[[Exception], None] = lambda _error: None,
    ) -> Watch:
        watch = _CallWatch(self._watches, on_finished)
        with self._lock:
            self._watches.append(watch)
        on_connected(True)
        return watch

    def ping(self) -> None:
        """Always well while it is open.

        Raises:
            UnavailableError: it is closed.
        """
        if self._closed:
            raise UnavailableError("this server is shutting down; submit to another one")

    def close(self) -> None:
        """Lets the running task finish within `grace_s`; those that wait are cancelled, their
        askers answered."""
        with self._lock:
            self._closed = True
            while self._waiting:
                self._end(self._waiting.popleft(), State.CANCELLED, None, 1.0)
            self._lock.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(self._grace_s)
            self._close()
            self._thread.join()

    # The thread

    def _work(self) -> None:
        while (entry := self._next()) is not None:
            try:
                result = self._run(entry.task)
            except Exception as error:
                log.exception(
                    "task=%s type=%s failed outside of its task type",
                    *(entry.task.id, entry.task.type),
                    extra={"fields": {"type": entry.task.type, "tasks": [entry.task.id]}},
                )
                result = self._failure(entry.task, error)
            with self._lock:
                if not entry.state.terminal:  # else it was cancelled meanwhile
                    self._end(entry, result.state, result.body, result.ttl_s)
            self._tell([entry.task.id])

    def _next(self) -> Entry | None:
        with self._lock:
            while not self._waiting and not self._closed:
                self._lock.wait()
            if not self._waiting:
                return None
            entry = self._waiting.popleft()
            entry.state, entry.started_ms = State.RUNNING, _now_ms()
            now = time.monotonic()
            self._tally(entry, events_of_wait(now - entry.began_at))
            entry.began_at = now
            self._count(entry.task.type, waiting=-1, running=1)
            return entry

    def _failure(self, task: Task, error: Exception) -> Result:
        detail = f"{type(error).__name__}: {error}"
        body = json.dumps({"error": {"code": "task-failed", "detail": detail}}).encode()
        ttl_s = self._limits[task.type].failure_ttl_s or 1.0
        return Result(task.id, task.type, State.FAILED, body, ttl_s)

    def _tell(self, ids: Iterable[str]) -> None:
        told = list(ids)
        for watch in list(self._watches) if told else ():
            try:
                watch.on_finished(told)
            except Exception:
                log.exception("a watcher of finished tasks failed")

    # What follows is called with the lock held

    def _enter(self, task: Task) -> Entry | NoStatusError:
        known = self._find(task.id)
        if known is not None:
            self._tallies[task.type].count({"cached" if known.state.terminal else "joined": 1})
            return known
        load = sum(self._counts(task.type))
        most = self._limits[task.type].max_load
        if most is not None and load >= most:
            self._tallies[task.type].count({"refused": 1})
            return OverloadedError(task.type, load)
        entry = Entry(task, _now_ms(), began_at=time.monotonic())
        self._tally(entry, {"new": 1})
        self._unfinished[task.id] = entry
        self._waiting.append(entry)
        self._count(task.type, waiting=1)
        return entry

    def _find(self, task_id: str) -> Entry | None:
        if (entry := self._unfinished.get(task_id)) is not None:
            return entry
        entry = self._finished.get(task_id)
        if entry is not None and entry.expires_at <= time.monotonic():
            self._forget(task_id)
            return None
        if entry is not None:
            self._finished.move_to_end(task_id)
        return entry

    def _drop(self, task_id: str, *, only_cancelled: bool) -> bool:
        entry = self._finished.get(task_id)
        if entry is None or (only_cancelled and entry.state is not State.CANCELLED):
            return False
        self._forget(task_id)
        return True

    def _end(self, entry: Entry, state: State, body: bytes | None, ttl_s: float) -> None:
        running = entry.state is State.RUNNING
        self._tally(entry, {state.value: 1})
        if running:
            elapsed_s = time.monotonic() - entry.began_at
            self._tally(entry, Runs().add(1, elapsed_s).events())
        self._count(entry.task.type, waiting=-(not running), running=-running)
        entry.state, entry.body, entry.finished_ms = state, body, _now_ms()
        entry.expires_ms = entry.finished_ms + round(ttl_s * 1000)
        entry.expires_at = time.monotonic() + ttl_s
        del self._unfinished[entry.task.id]
        self._finished[entry.task.id] = entry
        self._finished_bytes += entry.size_bytes
        entry.terminal.set()
        while len(self._finished) > self._most_results or self._finished_bytes > self._most_bytes:
            self._forget(next(iter(self._finished)))

    def _forget(self, task_id: str) -> None:
        self._finished_bytes -= self._finished.pop(task_id).size_bytes

    def _count(self, type_name: str, waiting: int = 0, running: int = 0) -> None:
        counts = self._loads.setdefault(type_name, [0, 0])
        counts[0] += waiting
        counts[1] += running

    def _tally(self, entry: Entry, events: Mapping[str, int]) -> None:
        self._tallies[entry.task.type].count(events)

    def _status_of(self, entry: Entry) -> Status:
        return entry.status(sum(self._counts(entry.task.type)))

    def _counts(self, type_name: str) -> tuple[int, int]:
        waiting, running = self._loads.get(type_name, (0, 0))
        return waiting, running


class _CallWatch:
    """A watcher that is called by whoever ends a task."""

    def __init__(
        self, among: list[_CallWatch], on_finished: Callable[[Sequence[str]], None]
    ) -> None:
        self._among = among
        self.on_finished = on_finished

    def close(self) -> None:
        """No more calls from now on; safe to call twice."""
        if self in self._among:
            self._among.remove(self)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
