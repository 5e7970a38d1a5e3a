"""What RQ's workers call for each job: the task type, loaded once per process, on one input.

It needs no more than the settings in the environment, so any stock worker can run it:
`rq worker --worker-class rq.SimpleWorker --serializer rq.serializers.JSONSerializer factorization`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

from rq import get_current_job
from rq.timeouts import JobTimeoutException

from doneyet.settings import Settings
from doneyet.task_types import TaskType
from doneyet.task_types.answer import Answer, failure
from doneyet.task_types.context import Host
from doneyet.task_types.loading import NotLoadedError, load
from doneyet.task_types.run_batch import run_batch
from task_manager.errors import UnavailableError
from task_manager.owners import owner_of_run
from task_manager.redis.modes.rq import RqManager
from task_manager.result_lookup import recaller
from task_manager.tally import Runs
from task_manager.values import Result, result_of
from worker.redis_outage import Outage
from worker.type_selection import served_registry

log = logging.getLogger(__name__)

RENEW_EVERY_S = 15.0
PROGRESS_EVERY_S = 0.1


class TaskRunner:
    """Runs the tasks that RQ's jobs are about, in this process."""

    def __init__(
        self, manager: RqManager, types: Mapping[str, TaskType], place: str = "its address"
    ) -> None:
        self.types = types
        """The task types that it runs, by name."""
        self._manager, self._outage = manager, Outage(place, log)
        self._pid = os.getpid()

    def run(self, type_name: str, task_id: str, worker_name: str) -> bool:
        """Whether the task ran here: not if it is done, cancelled, expired, or runs elsewhere.

        Raises:
            LookupError: there is no such type.
            UnavailableError: Redis was away when the task should begin.
        """
        if type_name not in self.types:
            raise LookupError(f"there is no task type {type_name!r}; see DONEYET_TASKS and _MODELS")
        kind = self.types[type_name]
        owner = owner_of_run(worker_name)
        try:
            text = self._manager.begin(owner, type_name, task_id)
        except UnavailableError:
            self._end(owner, type_name, task_id)  # it may have begun, and only the reply was lost
            raise
        if text is None:
            return False
        try:
            with self._lease_kept(owner, type_name, task_id):
                began_s = time.monotonic()
                answer = self._answer(kind, text, owner, task_id)
                runs = Runs().add(1, time.monotonic() - began_s)
            self._store(owner, result_of(kind, task_id, *answer), runs)
        finally:
            self._end(owner, type_name, task_id)  # what is not finished waits again
        return True

    def _answer(self, kind: TaskType, text: bytes, owner: str, task_id: str) -> Answer:
        shown_s = 0.0

        def show(type_name: str, _task_id: str, fraction: float, message: str) -> None:
            nonlocal shown_s
            if fraction < 1 and time.monotonic() - shown_s < PROGRESS_EVERY_S:
                return
            shown_s = time.monotonic()
            try:
                self._manager.progress(owner, {task_id: (type_name, fraction, message)})
            except UnavailableError as error:
                log.debug("progress is not shown: %s", error)

        try:
            load(kind)
        except NotLoadedError as error:
            return failure("task-failed", str(error))
        host = Host(show, recaller(self._manager))
        answer = run_batch(kind, [text], [task_id], host)[0]
        if os.getpid() != self._pid:
            os._exit(0)  # a handler has forked, and this is the other one
        # RQ's own time limit is an exception in the middle of the handler.
        if not answer.done and JobTimeoutException.__name__.encode() in answer.body:
            return failure("timed-out", f"it ran longer than {kind.timeout_s or 0:g} s")
        return answer

    def _store(self, owner: str, result: Result, runs: Runs) -> None:
        of_type = {result.type: runs}
        self._insist(lambda: self._manager.finish(owner, [result], runs=of_type))

    def _end(self, owner: str, type_name: str, task_id: str) -> None:
        self._insist(lambda: self._manager.end_run(owner, type_name, task_id))

    def _insist(self, call: Callable[[], object]) -> None:
        """Waits while Redis is away; RQ's time limit, if there is one, bounds that."""
        while True:
            try:
                call()
            except UnavailableError as error:
                time.sleep(self._outage.began(error))
            else:
                self._outage.over()
                return

    @contextmanager
    def _lease_kept(self, owner: str, type_name: str, task_id: str) -> Iterator[None]:
        over = threading.Event()

        def keep() -> None:
            while not over.wait(RENEW_EVERY_S):
                try:
                    self._manager.keep_run(owner, type_name, task_id)
                except UnavailableError as error:
                    log.debug("the lease is not renewed: %s", error)

        keeper = threading.Thread(target=keep, name="lease", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()


@cache
def task_runner() -> TaskRunner:
    """The one of this process, made at its first job."""
    settings = Settings.from_environment()
    types = served_registry(settings).run_by_processes.types
    manager = RqManager(settings.redis_url, types, settings.key_prefix)
    return TaskRunner(manager, types, settings.redis_place)


def run(type_name: str, task_id: str) -> str:
    """Runs a task; what RQ keeps as the job's result says whether. The answer is in doneyet's keys.

    Raises:
        As `TaskRunner.run`.
    """
    job = get_current_job()
    worker_name = job.worker_name if job is not None else None
    ran = task_runner().run(type_name, task_id, worker_name or "rq")
    return "finished" if ran else "nothing to do"
