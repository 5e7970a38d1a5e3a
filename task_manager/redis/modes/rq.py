"""The rq queue mode: tasks are RQ's jobs, which stock RQ workers run.

What doneyet knows of a task (that it waits, for how long, its input, its answer) is kept as in the
distributed queue mode. RQ's queue has a job for each waiting task: the job's id is the task's, the
queue is named like the task type, the serializer is JSON. The job's function (`worker.rq.job.run`)
begins the task here, runs it and finishes it here. So it never runs what nobody wants any more, nor
what runs or is done already, however often RQ has a job for it. And where RQ lost a job, the next
submit of its task makes another one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from rq import Queue
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from task_manager.errors import NoStatusError
from task_manager.owners import is_run_of
from task_manager.redis.clients import each_server
from task_manager.redis.modes.distributed import DistributedManager
from task_manager.redis.scripts.queue_slots import ms
from task_manager.values import Limits, Load, Promises, State, Status, Task

FUNCTION = "worker.rq.job.run"
"""What RQ's workers call, with the task type's name and the task's id."""

LEASE_S = 420.0
"""How long a task counts as running after the last sign of its process: as long as RQ waits for a
worker of its own. Shorter, and a handler that holds the interpreter would lose its claim."""

_KEPT_BY_RQ_S = 500
"""How long RQ shows a job that has ended."""

_DESCRIPTION_LENGTH = 100  # characters of the input that RQ's tools show


class RqManager(DistributedManager):
    """Waiting tasks as in the distributed queue mode, and an RQ job for each."""

    pick: ClassVar[str] = "random"  # RQ's own queue has the order
    promises: ClassVar[Promises] = Promises(
        claims=False,
        batches=False,
        one_round_trip=False,
        leases=False,
        stops_runs=False,
    )

    def __init__(self, url: str, limits: Mapping[str, Limits], prefix: str) -> None:
        super().__init__(url, limits, prefix)
        self._rq_queues: dict[str, Queue] = {}

    def submit(
        self, tasks: Sequence[Task], *, discard: bool = False
    ) -> list[Status | NoStatusError]:
        """As in `TaskSubmitter`; one round trip more for tasks without an answer, two for new."""
        statuses = super().submit(tasks, discard=discard)
        waiting: dict[str, dict[str, bytes]] = {}
        for task, status in zip(tasks, statuses, strict=True):
            if isinstance(status, Status) and not status.state.terminal:
                ids = waiting.setdefault(task.type, {})
                if status.state is State.WAITING:
                    ids[task.id] = task.input
        for name, inputs in waiting.items():
            self._keep_jobs(name, inputs)
        return statuses

    def load(self, type_names: Sequence[str]) -> list[Load]:
        """As in `TaskSubmitter`; workers are those that RQ knows of."""
        loads = super().load(type_names)
        with self._connection.client() as client:
            pipeline = client.pipeline(transaction=False)
            for name in type_names:
                pipeline.scard(WORKERS_BY_QUEUE_KEY % name)
            counts = pipeline.execute()
        return [replace(load, workers=workers) for load, workers in zip(loads, counts, strict=True)]

    def recover(
        self, owner: str, types: Sequence[str], running: Collection[str] | None = None
    ) -> int:
        """As in `TaskClaimer`; what waits again has a job again."""
        with self._connection.client() as client:
            held: list[Any] = [client.hgetall(self._keys.claims(name, owner)) for name in types]
        ended = super().recover(owner, types, running)
        for name, fields in zip(types, held, strict=True):
            if fields:
                inputs = {key.decode(): text for key, text in fields.items()}
                self._keep_jobs(name, inputs, ended=True)
        return ended

    # What workers call, beside `finish`, `renew`, `recover` and `progress`

    def begin(self, owner: str, type_name: str, task_id: str) -> bytes | None:
        """The input of a task, which runs from now on, held by `owner` for `LEASE_S`.

        None where it does not wait: it is done, cancelled, expired, or runs already.
        """
        call = self._call(
            "begin",
            type_name,
            mode="rq",
            owner=owner,
            ids=[task_id],
            lease_ms=ms(LEASE_S),
            job_prefix=Job.redis_job_namespace_prefix,
            job_keep_s=_KEPT_BY_RQ_S,
        )
        found: bytes | None = self._run([call])[0]
        return found

    def keep_run(self, owner: str, type_name: str, task_id: str) -> None:
        """The owner keeps the task for `LEASE_S` more, and RQ its job for longer than that."""
        self.renew({owner: [type_name]}, LEASE_S)
        with self._connection.client() as client:
            client.expire(Job.redis_job_namespace_prefix + task_id, _KEPT_BY_RQ_S)

    def end_run(self, owner: str, type_name: str, task_id: str) -> None:
        """What the owner has not finished waits again, and the task's job is not kept for ever."""
        self.recover(owner, [type_name])
        with self._connection.client() as client:
            client.expire(Job.redis_job_namespace_prefix + task_id, _KEPT_BY_RQ_S)

    def end_worker(self, worker_name: str, types: Sequence[str], *, counts: bool) -> None:
        """What a worker of RQ's held that has ended waits again; RQ's tools no longer show it.

        With `counts` the attempt counts, since the process died of itself.
        """
        key = BaseWorker.redis_worker_namespace_prefix + worker_name
        with self._connection.client() as client:
            worker = BaseWorker.find_by_key(
                key, connection=each_server(client)[0], serializer=JSONSerializer
            )
            job_id = worker.get_current_job_id() if worker is not None else None
            if job_id is not None:
                # It says that it runs, and may have died before it began the task.
                client.delete(Job.redis_job_namespace_prefix + job_id)
            for name in types:
                owners: list[Any] = client.zrange(self._keys.owners(name), 0, -1)
                for owner in (each.decode() for each in owners):
                    if is_run_of(owner, worker_name):
                        self.recover(owner, [name], None if counts else ())
            if worker is not None:
                worker.register_death()

    # Parts

    def _keep_jobs(
        self, type_name: str, inputs: Mapping[str, bytes], *, ended: bool = False
    ) -> None:
        """Each of these tasks that waits has a job from now on; dead owners are recovered.

        With `ended` a job that says that it runs does not, since its worker has ended.
        """
        queue = Queue.redis_queue_namespace_prefix + type_name
        call = self._call(
            "jobs",
            type_name,
            mode="rq",
            rq_queue=queue,
            rq_taken=IntermediateQueue.get_intermediate_queue_key(queue),
            keep_s=self._kept_s(type_name),
            job_prefix=Job.redis_job_namespace_prefix,
            ended=ended,
            ids=[*inputs],
        )
        missing, dead = self._run([call])[0]
        if missing:
            self._make_jobs(type_name, {key.decode(): inputs[key.decode()] for key in missing})
        for owner in dead:
            self.recover(owner.decode(), [type_name])

    def _make_jobs(self, type_name: str, inputs: Mapping[str, bytes]) -> None:
        """A new RQ job for each of these tasks."""
        limits, kept_s = self._limits[type_name], self._kept_s(type_name)
        timeout_s = getattr(limits, "timeout_s", None)
        jobs = [
            Queue.prepare_data(
                FUNCTION,
                [type_name, task_id],
                timeout=-1 if timeout_s is None else math.ceil(timeout_s),
                result_ttl=_KEPT_BY_RQ_S,
                failure_ttl=_KEPT_BY_RQ_S,
                ttl=kept_s,
                description=f"{type_name} {text[:_DESCRIPTION_LENGTH].decode(errors='replace')}",
                job_id=task_id,
            )
            for task_id, text in inputs.items()
        ]
        with self._connection.client() as client:
            if type_name not in self._rq_queues:
                self._rq_queues[type_name] = Queue(
                    type_name, connection=each_server(client)[0], serializer=JSONSerializer
                )
            queue = self._rq_queues[type_name]
            pipeline = client.pipeline()
            queue.enqueue_many(jobs, pipeline=pipeline)
            pipeline.expire(queue.key, kept_s)
            pipeline.execute()

    def _kept_s(self, type_name: str) -> int:
        """How long a job is kept, whole seconds as RQ wants it: not shorter than its task."""
        return math.ceil(self._queue(type_name).limit("input_ttl_s")) + 1
