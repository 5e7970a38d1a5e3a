"""Every key of the ordered discipline: RQ's own, named by RQ, and three of ours beside them.

RQ's sets and registries of a queue have no TTL where RQ itself writes them: `rq:queues`,
`rq:workers`, `rq:workers:<queue>` (one member per queue or worker) and `rq:finished:<queue>`,
`rq:failed:<queue>`, `rq:canceled:<queue>` when RQ's own tools add to them. `rq:wip:<queue>` holds
one member per running task. All else expires.
"""

from __future__ import annotations

from dataclasses import dataclass

from rq import Queue
from rq.job import Job
from rq.registry import (
    CanceledJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    StartedJobRegistry,
)
from rq.results import Result
from rq.worker import BaseWorker
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

JOB_PREFIX = str(Job.redis_job_namespace_prefix)
QUEUE_PREFIX = str(Queue.redis_queue_namespace_prefix)
RUNNING_PREFIX = StartedJobRegistry.key_template.format("")
WORKER_PREFIX = str(BaseWorker.redis_worker_namespace_prefix)
QUEUES = str(Queue.redis_queues_keys)
WORKERS = str(BaseWorker.redis_workers_keys)

WITHOUT_TTL = (QUEUES, WORKERS, "rq:wip:", "rq:finished:", "rq:failed:", "rq:canceled:")
"""What the keys begin with that RQ keeps for ever; they are small, see above."""


def job(task_id: str) -> str:
    """Hash of one task; lives as long as the task is wanted, runs or has an answer."""
    return JOB_PREFIX + task_id


def results(task_id: str) -> str:
    """Stream of one task's results; lives as long as the result is kept."""
    return str(Result.get_key(task_id))


def worker(name: str) -> str:
    """Hash of one worker; lives one lease."""
    return WORKER_PREFIX + name


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """The keys of one task type."""

    prefix: str
    type: str

    @property
    def queue(self) -> str:
        """List of ids, the next one first; lives as long as its longest wanted task."""
        return QUEUE_PREFIX + self.type

    @property
    def running(self) -> str:
        """Sorted set of RQ's, "id:execution" by the end of its lease in s; no TTL."""
        return RUNNING_PREFIX + self.type

    @property
    def finished(self) -> str:
        """Sorted set of RQ's, ids by when they are forgotten, s."""
        return FinishedJobRegistry.key_template.format(self.type)

    @property
    def failed(self) -> str:
        """Sorted set of RQ's, ids by when they are forgotten, s."""
        return FailedJobRegistry.key_template.format(self.type)

    @property
    def cancelled(self) -> str:
        """Sorted set of RQ's, ids by when they are forgotten, s."""
        return CanceledJobRegistry.key_template.format(self.type)

    @property
    def workers(self) -> str:
        """Set of RQ's: keys of the workers that serve the type; no TTL."""
        return str(WORKERS_BY_QUEUE_KEY % self.type)

    @property
    def waiting(self) -> str:
        """Sorted set, every id in `queue` by the end of its interest in ms; lives like `queue`."""
        return f"{self.prefix}:ordered:waiting:{self.type}"

    @property
    def wake(self) -> str:
        """List with a token for each worker to wake; lives like `queue`."""
        return f"{self.prefix}:ordered:wake:{self.type}"
