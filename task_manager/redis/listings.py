"""Lists of tasks and workers from Redis: a bounded read of each type, whatever waits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

from task_manager.errors import CannotListError
from task_manager.listing import (
    MOST_TASKS_OF_WORKER,
    MOST_WORKERS,
    ListedTask,
    Page,
    Place,
    RunningTask,
    WorkerSeen,
    error_in,
    merged,
    place_in_time,
)
from task_manager.redis.queues import Queues
from task_manager.redis.records import read_status
from task_manager.redis.scripts.lua_script import Call, script
from task_manager.redis.scripts.run import run_scripts
from task_manager.values import Promises, State

_NO_TIME_MS = 1 << 53
"""After every time, and told exactly by a Lua number."""

_MOST_WAITING_IN_TIME = 50
"""Waiting tasks of each type that stand among those of other states: those whose turn is next."""

_ENDS = (State.DONE, State.FAILED, State.CANCELLED)


class Listings(Queues):
    """What `TaskSubmitter` tells of more than one task, for every queue mode on Redis."""

    promises: ClassVar[Promises]

    def listed(
        self,
        type_names: Sequence[str],
        state: State | None = None,
        *,
        prefix: str = "",
        limit: int = 50,
        after: Place | None = None,
    ) -> Page:
        if state is State.WAITING:
            self._check_lists_waiting()
            return self._waiting_in_turn(type_names, prefix, limit, after)
        states = (State.RUNNING, *_ENDS) if state is None else (state,)
        since = after or place_in_time(_NO_TIME_MS, "")
        kinds = [(name, each) for each in states for name in type_names]
        calls = [self._newest_call(name, each, prefix, limit, since) for name, each in kinds]
        others = type_names if state is None and self.promises.lists_waiting else ()
        calls += [self._waiting_call(n, prefix, _MOST_WAITING_IN_TIME, None) for n in others]
        with self._connection.client() as client:
            replies = run_scripts(client, calls) if calls else []
            pages = [
                _read_newest(name, each, reply)
                for (name, each), reply in zip(kinds, replies, strict=False)
            ]
            for name, reply in zip(others, replies[len(kinds) :], strict=True):
                pages.append(_in_time(_read_waiting(name, reply), since))
        return merged(pages, limit)

    def cancel_waiting(self, type_name: str, most: int) -> tuple[list[str], bool]:
        self._check_lists_waiting()
        with self._connection.client() as client:
            call = self._call("cancel_waiting", type_name, most=most)
            is_more, *ids = run_scripts(client, [call])[0]
            return [each.decode() for each in ids], is_more == 1

    def workers(self, type_names: Sequence[str]) -> list[WorkerSeen]:
        with self._connection.client() as client:
            calls = [self._published_call(name) for name in type_names]
            queues = [
                (name, version)
                for name, reply in zip(type_names, run_scripts(client, calls), strict=True)
                for version in sorted({self._limits[name].version, *map(bytes.decode, reply)})
            ]
            bounds = {"most": MOST_WORKERS, "most_tasks": MOST_TASKS_OF_WORKER}
            asked = script(self.mode, "workers")
            calls = [asked.call(self._queue_of_version(*each), **bounds) for each in queues]
            replies = run_scripts(client, calls) if calls else []
            found = [
                _read_worker(name, version, *reply[at : at + 3])
                for (name, version), reply in zip(queues, replies, strict=True)
                for at in range(0, len(reply), 3)
            ]
        return found[:MOST_WORKERS]

    # Parts

    def _check_lists_waiting(self) -> None:
        if not self.promises.lists_waiting:
            raise CannotListError(self.mode)

    def _waiting_in_turn(
        self, type_names: Sequence[str], prefix: str, limit: int, after: Place | None
    ) -> Page:
        names = [name for name in type_names if after is None or name >= after.type]
        calls = [self._waiting_call(name, prefix, limit, after) for name in names]
        with self._connection.client() as client:
            replies = run_scripts(client, calls) if calls else []
            pages = [_read_waiting(n, reply) for n, reply in zip(names, replies, strict=True)]
        return merged(pages, limit)

    def _waiting_call(self, name: str, prefix: str, limit: int, after: Place | None) -> Call:
        behind = after if after is not None and after.type == name else None
        return self._call(
            "waiting_tasks",
            name,
            id_prefix=prefix,
            limit=limit,
            after_turn=str(behind.order) if behind else "",
            after_id=behind.id if behind else "",
        )

    def _newest_call(self, name: str, state: State, prefix: str, limit: int, since: Place) -> Call:
        bounds: dict[str, Any] = {
            "id_prefix": prefix,
            "limit": limit,
            "before_ms": -since.order,
            "after_id": since.id,
        }
        if state is State.RUNNING:
            return self._call("running_tasks", name, **bounds)
        ended = {
            State.DONE: self._keys.ended_done,
            State.FAILED: self._keys.ended_failed,
            State.CANCELLED: self._keys.ended_cancelled,
        }
        return self._call(
            "ended_tasks", name, ended=ended[state](name), state=state.value, **bounds
        )


def _read_newest(name: str, state: State, reply: Sequence[Any]) -> Page:
    """What a script tells of the tasks of a type and state that it orders by time."""
    read = _read_running if state is State.RUNNING else _read_ended
    tasks = [
        read(name, reply[at].decode(), reply[at + 1], reply[at + 2])
        for at in range(1, len(reply), 3)
    ]
    return Page(tasks, tasks[-1].place if reply[0] == 1 and tasks else None)


def _read_running(name: str, task_id: str, record: bytes, report: bytes) -> ListedTask:
    status = read_status(name, task_id, 0, b"running " + record + b"\n" + report)
    return ListedTask(
        place_in_time(status.started_ms or 0, task_id),
        *(name, State.RUNNING, status.attempts, status.submitted_ms, status.started_ms),
        progress=status.progress,
    )


def _read_ended(name: str, task_id: str, record: bytes, tail: bytes) -> ListedTask:
    status = read_status(name, task_id, 0, record + b"\n{}")
    return ListedTask(
        place_in_time(status.finished_ms or 0, task_id),
        *(name, status.state, status.attempts, status.submitted_ms, status.started_ms),
        finished_ms=status.finished_ms,
        error=error_in(tail) if tail else None,
    )


def _read_waiting(name: str, reply: Sequence[Any]) -> Page:
    """What a script tells of waiting tasks, in the order of their turns."""
    is_more, turn, last_id = reply[:3]
    tasks = []
    for at in range(3, len(reply), 3):
        place = Place(name, _whole(reply[at + 1]), reply[at].decode())
        attempts, submitted_ms = 0, None
        with suppress(ValueError):
            attempts, submitted_ms = map(int, reply[at + 2].split())
        tasks.append(ListedTask(place, name, State.WAITING, attempts, submitted_ms))
    return Page(tasks, Place(name, _whole(turn), last_id.decode()) if is_more == 1 else None)


def _in_time(page: Page, since: Place) -> Page:
    """Those of the page that come behind a place, by when they were submitted."""
    tasks = [
        ListedTask(place, task.type, task.state, task.attempts, task.submitted_ms)
        for task in page.tasks
        if (place := place_in_time(task.submitted_ms or 0, task.id)) > since
    ]
    return Page(sorted(tasks, key=lambda task: task.place))


def _read_worker(
    name: str, version: str, owner: bytes, count: int, running: Sequence[bytes]
) -> WorkerSeen:
    tasks = [
        RunningTask(task_id.decode(), int(started_ms))
        for task_id, started_ms in zip(running[::2], running[1::2], strict=True)
    ]
    tasks.sort(key=lambda task: (task.started_ms, task.id))
    return WorkerSeen(owner.decode(), name, version, tasks, count)


def _whole(score: bytes) -> int:
    """A score, which servers may write as 1e+15."""
    return int(float(score))
