"""A task manager some of whose types have several queues; see `split_queues`.

It renames: to the manager inside each queue is a type. What is asked about a type is put together
of its queues. Workers go by queues where one may be away and another not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from task_manager.errors import (
    ClientOverloadedError,
    NoStatusError,
    OverloadedError,
    PartlyUnavailableError,
    UnavailableError,
)
from task_manager.forwarding import Forwarding
from task_manager.interface import TaskManager
from task_manager.listing import MOST_TASKS_OF_WORKER, MOST_WORKERS, Page, Place, WorkerSeen
from task_manager.split_queues import queue_names, queue_of, share, summed_load, told_version
from task_manager.tally import Runs, Tally, summed, summed_spans
from task_manager.values import (
    NO_RUNS,
    Claim,
    Load,
    Renewal,
    Result,
    State,
    Status,
    Task,
)

LOAD_KNOWN_S = 0.25
"""How old the load of the other queues of a type may be in an answer."""


class Split(Forwarding, TaskManager):
    """`inner`, whose types are queues: so many for each type in `counts`, one for any other."""

    def __init__(self, inner: TaskManager, counts: Mapping[str, int]) -> None:
        self.promises = replace(inner.promises, one_queue=False)  # type: ignore[misc]
        super().__init__(inner)
        self._inner = inner
        self._queues = {name: queue_names(name, count) for name, count in counts.items()}
        self._type_of = {queue: name for name, all_ in self._queues.items() for queue in all_}
        # Who goes by queues must not mistake the first one for its type, as which it is called.
        self._outside = {name: f"{name}#0" for name in counts}
        self._inside = {told: name for name, told in self._outside.items()}
        self._loads: dict[str, tuple[int, float]] = {}  # of queues, and when they were that

    # Queues

    def queues(self, type_names: Sequence[str]) -> list[str]:
        return [self._outside.get(queue, queue) for queue in self._of(type_names)]

    def queue_of(self, type_name: str, task_id: str) -> str:
        queue = self._queue_of(type_name, task_id)
        return self._outside.get(queue, queue)

    def _queue_of(self, type_name: str, task_id: str) -> str:
        """The queue of a task, as it is called inside."""
        queues = self._queues.get(type_name)
        return type_name if queues is None else queue_of(queues, task_id)

    def _of(self, names: Sequence[str]) -> list[str]:
        """The queues of types, as they are called inside; a name may be that of a queue."""
        return [
            queue
            for name in names
            for queue in self._queues.get(name, (self._inside.get(name, name),))
        ]

    def _type(self, queue: str) -> str:
        return self._type_of.get(queue, queue)

    # Submitting

    def submit(
        self, tasks: Sequence[Task], *, discard: bool = False
    ) -> list[Status | NoStatusError]:
        if not any(task.type in self._queues for task in tasks):
            return self._inner.submit(tasks, discard=discard)
        asked = [self._queued(task) for task in tasks]
        told = self._inner.submit(asked, discard=discard)
        now_s = time.monotonic()
        for task, one in zip(asked, told, strict=True):
            if isinstance(one, Status) and task.type in self._type_of:
                self._loads[task.type] = (one.load, now_s)
        split = {task.type for task in tasks} & self._queues.keys()
        loads = {name: self._load_of(name) for name in split}
        return [
            self._answer(task, one, loads) if task.type in split else one
            for task, one in zip(tasks, told, strict=True)
        ]

    def _queued(self, task: Task) -> Task:
        """The task as its queue's."""
        if task.type not in self._queues:
            return task
        most = share(task.asker.max_waiting, len(self._queues[task.type]))
        asker = task.asker._replace(max_waiting=most) if most else task.asker
        queue = self._queue_of(task.type, task.id)
        return Task(task.id, queue, task.input, awaited=task.awaited, asker=asker)

    def _answer(
        self, task: Task, told: Status | NoStatusError, loads: Mapping[str, int]
    ) -> Status | NoStatusError:
        """What a queue told of a task of a type, whose loads are these."""
        if isinstance(told, Status):
            told.type, told.load = task.type, loads[task.type]
        elif isinstance(told, OverloadedError):
            return OverloadedError(task.type, loads[task.type])
        elif isinstance(told, ClientOverloadedError):
            return ClientOverloadedError(task.type, task.asker.max_waiting)
        return told

    def _load_of(self, name: str) -> int:
        """The load of a type: of some queues as it was told just now, of others a little older, and
        of those that are away as it was known last."""
        queues = self._queues[name]
        oldest_s = time.monotonic() - LOAD_KNOWN_S
        unknown = [q for q in queues if self._loads.get(q, (0, -1.0))[1] < oldest_s]
        with suppress(UnavailableError):
            for load in self._inner.load(self._inner.reachable(unknown)) if unknown else ():
                self._loads[load.type] = (load.waiting + load.running, time.monotonic())
        return sum(self._loads.get(queue, (0, 0.0))[0] for queue in queues)

    def reachable(self, type_names: Sequence[str]) -> list[str]:
        there = set(self._inner.reachable(self._of(type_names)))
        return [name for name in type_names if there.issuperset(self._of([name]))]

    def known_types(self) -> list[str]:
        return [*dict.fromkeys(map(self._type, self._inner.known_types()))]

    def status(self, type_name: str, task_id: str) -> Status | None:
        return self.statuses(type_name, [task_id])[0]

    def statuses(
        self, type_name: str, task_ids: Sequence[str], *, keep_s: float | None = None
    ) -> list[Status | None]:
        if type_name not in self._queues:
            return self._inner.statuses(type_name, task_ids, keep_s=keep_s)
        by_queue: dict[str, list[str]] = {}
        for task_id in task_ids:
            by_queue.setdefault(self._queue_of(type_name, task_id), []).append(task_id)
        found: dict[str, Status | None] = {}
        for queue, ids in by_queue.items():
            there = self._inner.statuses(queue, ids, keep_s=keep_s)
            found.update(zip(ids, there, strict=True))
        missing = [task_id for task_id in task_ids if found[task_id] is None]
        if missing:  # in versions of another number of queues, which are known by the first one
            there = self._inner.statuses(type_name, missing, keep_s=keep_s)
            found.update(zip(missing, there, strict=True))
        load = self._load_of(type_name) if any(found.values()) else 0
        for status in filter(None, found.values()):
            status.type = type_name
            if not status.version:
                status.load = load
        return [found[task_id] for task_id in task_ids]

    def cancel(self, type_name: str, task_id: str) -> Status | None:
        queue = self._queue_of(type_name, task_id)
        status = self._inner.cancel(queue, task_id)
        if type_name not in self._queues:
            return status
        if status is None:  # as of `statuses`
            status = self._inner.cancel(type_name, task_id)
        if status is not None and not status.version:
            self._loads[status.type] = (status.load, time.monotonic())
            status.load = self._load_of(type_name)
        if status is not None:
            status.type = type_name
        return status

    # What is told of types

    def load(self, type_names: Sequence[str]) -> list[Load]:
        told = {load.type: load for load in self._inner.load(self._of(type_names))}
        return [
            summed_load(name, [told[queue] for queue in self._of([name])]) for name in type_names
        ]

    def other_versions(self, type_names: Sequence[str]) -> list[Load]:
        by_version: dict[tuple[str, str], list[Load]] = {}
        for load in self._inner.other_versions(self._of(type_names)):
            version = self._version(load.type, load.version)
            by_version.setdefault((self._type(load.type), version), []).append(load)
        return [
            replace(summed_load(name, loads), version=version)
            for (name, version), loads in by_version.items()
        ]

    def _version(self, queue: str, version: str) -> str:
        if queue not in self._type_of:
            return version
        return told_version(version, len(self._queues[self._type_of[queue]]))

    def pause(self, type_name: str, *, paused: bool) -> None:
        for queue in self._of([type_name]):
            self._inner.pause(queue, paused=paused)

    def oldest(self, type_names: Sequence[str]) -> list[float | None]:
        queues = self._of(type_names)
        waits_s = dict(zip(queues, self._inner.oldest(queues), strict=True))
        return [
            max(
                (wait_s for queue in self._of([name]) if (wait_s := waits_s[queue]) is not None),
                default=None,
            )
            for name in type_names
        ]

    def tallies(self, type_names: Sequence[str]) -> list[Tally]:
        told = {tally.type: tally for tally in self._inner.tallies(self._of(type_names))}
        return [summed(name, [told[queue] for queue in self._of([name])]) for name in type_names]

    def hours(self, type_names: Sequence[str]) -> list[Mapping[int, Mapping[str, int]]]:
        queues = self._of(type_names)
        told = dict(zip(queues, self._inner.hours(queues), strict=True))
        return [summed_spans(told[queue] for queue in self._of([name])) for name in type_names]

    def listed(
        self,
        type_names: Sequence[str],
        state: State | None = None,
        *,
        prefix: str = "",
        limit: int = 50,
        after: Place | None = None,
    ) -> Page:
        queues = self._of(type_names)
        page = self._inner.listed(queues, state, prefix=prefix, limit=limit, after=after)
        return Page([replace(each, type=self._type(each.type)) for each in page.tasks], page.end)

    def cancel_waiting(self, type_name: str, most: int) -> tuple[list[str], bool]:
        cancelled: list[str] = []
        for queue in self._of([type_name]):
            ids, is_more = self._inner.cancel_waiting(queue, most - len(cancelled))
            cancelled += ids
            if is_more or len(cancelled) == most:
                return cancelled, True
        return cancelled, False

    def workers(self, type_names: Sequence[str]) -> list[WorkerSeen]:
        found: dict[tuple[str, str, str], WorkerSeen] = {}
        for seen in self._inner.workers(self._of(type_names)):
            key = seen.owner, self._type(seen.type), self._version(seen.type, seen.version)
            one = found.get(key)
            running = sorted(
                [*(one.running if one else ()), *seen.running],
                key=lambda task: (task.started_ms, task.id),
            )
            count = seen.running_count + (one.running_count if one else 0)
            found[key] = WorkerSeen(*key, running[:MOST_TASKS_OF_WORKER], count)
        return [*found.values()][:MOST_WORKERS]

    def take_lock(self, name: str, owner: str, ttl_s: float) -> bool:
        return self._inner.take_lock(name, owner, ttl_s)

    def release_lock(self, name: str, owner: str) -> None:
        self._inner.release_lock(name, owner)

    # Claiming

    def claim(
        self,
        owner: str,
        types: Sequence[str],
        limit: int,
        wait_s: float = 0.0,
        leave: int = 0,
        *,
        suspects: bool = True,
        unless: Callable[[], bool] = lambda: False,
    ) -> list[Claim]:
        queues = self._of(types)
        left = self._leave(types, queues, leave)
        with self._in_types():
            return self._typed(
                self._inner.claim(
                    owner, queues, limit, wait_s, left, suspects=suspects, unless=unless
                )
            )

    def finish(
        self,
        owner: str,
        results: Sequence[Result],
        types: Sequence[str] = (),
        limit: int = 0,
        leave: int = 0,
        *,
        suspects: bool = True,
        runs: Mapping[str, Runs] = NO_RUNS,
    ) -> list[Claim]:
        queues = self._of(types)
        left = self._leave(types, queues, leave)
        queued = [each._replace(type=self._queue_of(each.type, each.id)) for each in results]
        counted: dict[str, Runs] = {}
        for result, one in zip(results, queued, strict=True):  # with one of them, whichever it is
            if result.type in runs and all(self._type(each) != result.type for each in counted):
                counted[one.type] = runs[result.type]
        with self._in_types():
            return self._typed(
                self._inner.finish(
                    owner, queued, queues, limit, left, suspects=suspects, runs=counted
                )
            )

    def _leave(self, types: Sequence[str], queues: Sequence[str], leave: int) -> int:
        """How many are left waiting in each queue, so that it is `leave` of a type."""
        return share(leave * len(types), len(queues)) if leave else 0

    def release(self, owner: str, claims: Sequence[Claim]) -> None:
        queued = [each._replace(type=self._queue_of(each.type, each.id)) for each in claims]
        with self._in_types():
            self._inner.release(owner, queued)

    def release_unbegun(self, owner: str, types: Sequence[str], begun: Collection[str]) -> int:
        with self._in_types():
            return self._inner.release_unbegun(owner, self._of(types), begun)

    def renew(self, owners: Mapping[str, Sequence[str]], lease_s: float) -> Renewal:
        queues = {owner: self._of(types) for owner, types in owners.items()}
        told = self._inner.renew(queues, lease_s)
        outside = self._outside
        return Renewal(
            told.lost,
            {
                owner: frozenset(outside.get(queue, queue) for queue in dead)
                for owner, dead in told.dead.items()
            },
            told.cancelled,
            {outside.get(queue, queue): reason for queue, reason in told.away.items()},
        )

    def recover(
        self, owner: str, types: Sequence[str], running: Collection[str] | None = None
    ) -> int:
        with self._in_types():
            return self._inner.recover(owner, self._of(types), running)

    def progress(self, owner: str, reports: Mapping[str, tuple[str, float, str]]) -> None:
        queued = {
            task_id: (self._queue_of(name, task_id), fraction, message)
            for task_id, (name, fraction, message) in reports.items()
        }
        with self._in_types():
            self._inner.progress(owner, queued)

    def _typed(self, claims: Sequence[Claim]) -> list[Claim]:
        return [
            claim._replace(type=self._type_of[claim.type]) if claim.type in self._type_of else claim
            for claim in claims
        ]

    @contextmanager
    def _in_types(self) -> Iterator[None]:
        """Tells what is away as it is called outside."""
        try:
            yield
        except PartlyUnavailableError as error:
            reasons = {self._outside.get(q, q): reason for q, reason in error.reasons.items()}
            raise PartlyUnavailableError(reasons, self._typed(error.claims)) from error
