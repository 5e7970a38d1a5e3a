"""The ordered discipline: first come, first served, in RQ's queues and jobs.

A task type is an RQ queue, a task is an RQ job whose id is the task's id; RQ's own tools see both.
This is the asking half; RQ's worker (`worker.rq_worker`) does the work through
`task_manager.ordered_executions`.

What it does not promise: claiming by our own worker (`answering=False`), and batches
(`batches=False`: RQ runs one job at a time). A worker of several types takes from their queues in
turn, so the order is first come, first served within a type. A task whose worker died is tried
again before all that wait, in a run of its own as always.

RQ names its keys itself: the key prefix does not keep two installations apart that share a
database. RQ's tools write times by their own clock, so machines that run them, or workers, must
agree on the time to within a lease. RQ's command to stop a job is not obeyed; `cancel` is the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from task_manager import ordered_keys as keys
from task_manager import scripts
from task_manager.connection import Connection
from task_manager.errors import AlreadyTerminalError, OverloadedError
from task_manager.interface import Asking, Limits, Load, Promises, Status, Task, Watch
from task_manager.keys import Keys
from task_manager.ordered_jobs import job_fields, read_input, read_status
from task_manager.redis_manager import ms
from task_manager.scripts import Call
from task_manager.watch import FinishedWatch


class Ordered(Asking):
    """Asking, on RQ's queues and jobs."""

    promises: ClassVar[Promises] = Promises(ordered=True, answering=False, batches=False)

    def __init__(self, url: str, limits: Mapping[str, Limits], prefix: str = "doneyet") -> None:
        self._connection = Connection(url)
        self._limits = limits
        self._prefix = prefix
        self._channel = Keys(prefix).finished()

    def submit(
        self, tasks: Sequence[Task], *, discard: bool = False
    ) -> list[Status | OverloadedError]:
        calls = []
        for task in tasks:
            calls += [self._submit_call(task, discard), self._status_call(task.type, task.id)]
        replies = iter(self._run(calls))
        answers: list[Status | OverloadedError] = []
        for task, (accepted, load), told in zip(tasks, replies, replies, strict=True):
            status = read_status(task.type, task.id, told) if accepted else None
            answers.append(status or OverloadedError(task.type, load))
        return answers

    def status(self, type_name: str, task_id: str) -> Status | None:
        told = self._run([self._status_call(type_name, task_id)])[0]
        status = read_status(type_name, task_id, told)
        if status is not None and not status.state.terminal:
            with self._connection.client() as client:
                data = client.hget(keys.job(task_id), "data")
            status.input = read_input(data if isinstance(data, bytes) else None)
        return status

    def cancel(self, type_name: str, task_id: str) -> Status | None:
        queue = keys.QueueKeys(self._prefix, type_name)
        kept_ms = ms(self._limits[type_name].failure_ttl_s or 1.0)
        outcome, told = self._run(
            [
                Call(
                    "ordered/cancel",
                    [keys.job(task_id), queue.waiting, queue.running, queue.cancelled],
                    [task_id, kept_ms, self._channel],
                ),
                self._status_call(type_name, task_id),
            ]
        )
        if outcome == b"terminal":
            raise AlreadyTerminalError(f"task {task_id} has its answer already")
        return None if outcome == b"unknown" else read_status(type_name, task_id, told)

    def load(self, type_names: Sequence[str]) -> list[Load]:
        queues = [keys.QueueKeys(self._prefix, name) for name in type_names]
        replies = self._run(
            [Call("ordered/load", [q.waiting, q.running, q.workers], []) for q in queues]
        )
        return [Load(name, *counts) for name, counts in zip(type_names, replies, strict=True)]

    def watch(
        self, on_finished: Callable[[Sequence[str]], None], on_connected: Callable[[bool], None]
    ) -> Watch:
        return FinishedWatch(self._connection, self._channel, on_finished, on_connected)

    def ping(self) -> None:
        with self._connection.client() as client:
            client.ping()

    def close(self) -> None:
        self._connection.close()

    def _run(self, calls: Sequence[Call]) -> list[Any]:
        if not calls:
            return []
        with self._connection.client() as client:
            return scripts.run_in_order(client, calls)

    def _submit_call(self, task: Task, discard: bool) -> Call:
        limits = self._limits[task.type]
        if limits.input_ttl_s is None or limits.max_load is None:
            raise ValueError(f"{task.type} has no limits; take task types from the registry")
        queue = keys.QueueKeys(self._prefix, task.type)
        return Call(
            "ordered/submit",
            [
                *(keys.job(task.id), keys.results(task.id), queue.queue, queue.waiting),
                *(queue.running, keys.QUEUES, queue.wake),
            ],
            [
                *(task.id, ms(limits.input_ttl_s), limits.max_load, int(discard)),
                *(self._channel, keys.JOB_PREFIX, *job_fields(task, limits)),
            ],
        )

    def _status_call(self, type_name: str, task_id: str) -> Call:
        queue = keys.QueueKeys(self._prefix, type_name)
        return Call(
            "ordered/status",
            [keys.job(task_id), keys.results(task_id), queue.waiting, queue.running],
            [],
        )
