"""RQ's worker, running jobs in its own process, so that a model loaded once stays loaded.

The loop, the signals, suspension, maintenance and bookkeeping are RQ's. What could lose a task or
answer it twice when a process dies between two steps (taking a job, storing its result) is one call
of `Executions` each instead. The supervisor keeps the lease while a job runs, so that a handler
that holds the interpreter's lock keeps it, too.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import uuid4

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker, worker_registration
from rq.executions import Execution, ExecutionRegistry
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker import WorkerStatus

from settings import without_password
from task_manager.errors import UnavailableError
from task_manager.interface import Limits, Result, State
from task_manager.ordered_executions import Executions, Held
from task_manager.ordered_jobs import NO_TIMEOUT, whole_s
from tasks import TaskType
from tasks.execution import failure
from tasks.loading import NotLoadedError, load
from worker.child import EXIT_NOT_LOADED
from worker.outage import Outage
from worker.rq_job import OutOfTimeError
from worker.rq_time_limit import TimeLimit

log = logging.getLogger(__name__)

IDLE_S = 1.0
"""How long an idle worker waits before it looks again; a new task wakes it at once."""
_SHOWN_S = 24 * 3600  # how long RQ's tools show an execution without end
_MAINTENANCE_S = 600
_PROGRESS_EVERY_S = 0.1

_Outcome = TypeVar("_Outcome")


def patient_client(url: str) -> redis.Redis:
    """A client whose calls wait while Redis is away; RQ's own code would end the process."""
    return redis.Redis.from_url(
        url,
        protocol=2,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), -1),
        socket_connect_timeout=1.0,
    )


class InProcessWorker(SimpleWorker):
    """One worker process of RQ's that serves some task types, each from its queue, in turn."""

    death_penalty_class = TimeLimit  # type: ignore[assignment]

    def __init__(
        self,
        name: str,
        types: Mapping[str, Limits],
        executions: Executions,
        *,
        url: str,
        lease_s: float,
    ) -> None:
        # A worker_ttl of 16 s is what RQ takes for waits of one second; the lease decides here.
        super().__init__(
            list(types),
            name=name,
            connection=patient_client(url),
            serializer=JSONSerializer,
            worker_ttl=16,
            maintenance_interval=_MAINTENANCE_S,
            log_job_description=False,
        )
        self.log_result_lifespan = False
        self._types = types
        self._executions = executions
        self._lease_s = whole_s(lease_s)
        self._outage = Outage(without_password(url), log)
        self._turns: list[Queue] = list(self.queues)
        self._held = Held("", "", "")
        self._shown_at = 0.0

    # Taking

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """The next job, now held by this worker; None if `timeout` is None and none waits."""
        self.set_state(WorkerStatus.IDLE)
        while True:
            try:
                self.heartbeat()
                if self.should_run_maintenance_tasks:
                    self.run_maintenance_tasks()
                taken = self._take()
                if taken is not None or timeout is None:
                    return taken
                self._executions.wait(self._types, IDLE_S)
                self._outage.over()
            except UnavailableError as error:
                time.sleep(self._outage.began(error))

    def _take(self) -> tuple[Job, Queue] | None:
        execution_id = uuid4().hex
        names = [queue.name for queue in self._turns]
        taken = self._executions.take(names, self.name, execution_id)
        if taken is None:
            return None
        name, task_id = taken
        self._held = Held(name, task_id, execution_id)
        kind = self._types[name]
        if isinstance(kind, TaskType) and not kind.loaded:
            self._load_at_first_claim(kind)
            return self._take()
        at = names.index(name) + 1
        queue = self._turns[at - 1]
        self._turns = self._turns[at:] + self._turns[:at]
        job = Job.fetch(task_id, connection=self.connection, serializer=JSONSerializer)
        job.timeout = getattr(self._types[name], "timeout_s", None) or NO_TIMEOUT
        return job, queue

    def _load_at_first_claim(self, kind: TaskType) -> None:
        """Loads with nothing held: it may take longer than a task may, and fail."""
        self._executions.give_back(self._held)
        try:
            load(kind)
        except NotLoadedError as error:
            log.error("%s", error)
            raise SystemExit(EXIT_NOT_LOADED) from error

    def clean_registries(self) -> None:
        """Recovers what lapsed before RQ's own clean-up finds it, which would forget who asks."""
        self._executions.recover_lapsed(list(self._types))
        super().clean_registries()

    def subscribe(self) -> None:
        """Listens to RQ's commands; as RQ does, but the thread ends within 0.2 s of being told."""
        pubsub: Any = self.connection.pubsub()
        pubsub.subscribe(**{self.pubsub_channel_name: self.handle_payload})
        listener: Any = pubsub.run_in_thread(
            sleep_time=0.2, daemon=True, exception_handler=self._pubsub_exception_handler
        )
        self.pubsub, self.pubsub_thread = pubsub, listener

    # Keeping

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Keeps this worker known for one lease; makes it known again if it had been forgotten."""
        if pipeline is None and not self.connection.exists(self.key):
            with self.connection.pipeline() as again:
                again.hset(self.key, mapping=self.serialize())
                worker_registration.register(self, again)
                again.execute()
        super().heartbeat(self._lease_s, pipeline)

    def get_heartbeat_ttl(self, job: Job) -> int:
        """The lease, s."""
        return self._lease_s

    def prepare_execution(self, job: Job) -> Execution:
        """Shows the execution to RQ's tools; the lease is there already."""
        shown = Execution(self._held.execution_id, job.id, self.connection, worker_name=self.name)
        with self.connection.pipeline() as pipeline:
            shown.save(ttl=_SHOWN_S, pipeline=pipeline)
            ExecutionRegistry(job.id, self.connection).add(shown, _SHOWN_S, pipeline)
            self.set_state(WorkerStatus.BUSY, pipeline=pipeline)
            pipeline.execute()
        self.execution = shown
        return shown

    def prepare_job_execution(self, job: Job, remove_from_intermediate_queue: bool = False) -> None:
        """Shows which job this worker runs. The job itself says so since it was taken; writing that
        again could undo a cancellation."""
        with self.connection.pipeline() as pipeline:
            self.set_current_job_id(job.id, pipeline=pipeline)
            self.set_current_job_working_time(0, pipeline=pipeline)
            pipeline.execute()

    def show_progress(self, fraction: float, message: str) -> None:
        """Shows how far the running task is, at most ten times a second."""
        at = time.monotonic()
        if fraction < 1 and at - self._shown_at < _PROGRESS_EVERY_S:
            return
        self._shown_at = at
        try:
            self._executions.progress(self._held, fraction, message)
        except UnavailableError as error:
            log.debug("progress is not shown: %s", error)

    # Finishing

    def handle_execution_ended(self, job: Job, queue: Queue, heartbeat_ttl: int) -> None:
        """Notes the time, not in Redis: a job that is gone there must not come back as a stump."""
        job.ended_at = now()

    def handle_job_success(self, job: Job, queue: Queue, started_job_registry: Any) -> None:
        """Stores what `worker.rq_job.run` returned."""
        told: Any = job._result
        self._store(told["done"], told["body"].encode())
        self._end(job, self.increment_successful_job_count)

    def handle_job_failure(
        self, job: Job, queue: Queue, started_job_registry: Any = None, exc_string: str = ""
    ) -> None:
        """An error outside of the task: gives the job back where Redis or a shutdown is the cause,
        else stores a failure, since it would happen again."""
        error = sys.exception()
        if isinstance(error, OutOfTimeError):
            self._store(False, failure("timed-out", str(error)).body)
        elif isinstance(error, Exception) and not isinstance(
            error, redis.RedisError | UnavailableError
        ):
            detail = f"{type(error).__name__}: {error}"
            self._store(False, failure("task-failed", detail).body)
        else:
            self._until_redis_is_back(lambda: self._executions.give_back(self._held))
        self._end(job, self.increment_failed_job_count)

    def _store(self, done: bool, body: bytes) -> None:
        limits = self._types[self._held.type]
        ttl_s = getattr(limits, "result_ttl_s", None) if done else limits.failure_ttl_s
        state = State.DONE if done else State.FAILED
        result = Result(self._held.task_id, self._held.type, state, body, ttl_s or 1.0)
        kept = self._until_redis_is_back(
            lambda: self._executions.finish(result, self._held.execution_id, self.name)
        )
        if not kept:
            log.info("task %s had its answer or was cancelled; this one is dropped", result.id)

    def _end(self, job: Job, count: Callable[[Any], None]) -> None:
        with self.connection.pipeline() as pipeline:
            count(pipeline)
            self.cleanup_execution(job, pipeline=pipeline)
            pipeline.execute()

    def _until_redis_is_back(self, call: Callable[[], _Outcome]) -> _Outcome:
        while True:
            try:
                outcome = call()
            except UnavailableError as error:
                time.sleep(self._outage.began(error))
            else:
                self._outage.over()
                return outcome

    def _install_signal_handlers(self) -> None:
        if threading.current_thread() is threading.main_thread():
            super()._install_signal_handlers()
