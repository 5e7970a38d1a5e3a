"""The main thread of a worker process: runs one batch after another."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from doneyet.task_types import TaskType
from doneyet.task_types.answer import Answer
from doneyet.task_types.context import NO_HOST, Host
from doneyet.task_types.error_text import named
from doneyet.task_types.loading import load
from doneyet.task_types.ready import Ready, make_ready
from doneyet.task_types.run_batch import run_ready
from task_manager.values import Result, result_of
from worker.device_lock import DeviceLock, holder
from worker.process.batch_queue import BatchQueue, Finished
from worker.process.batcher import Batch
from worker.status_board import StatusBoard

if TYPE_CHECKING:
    from worker.process.batch_spans import BatchSpans

log = logging.getLogger(__name__)

STORE_EVERY_S = 0.06
"""Results wait at most this long for the rest of their claim."""


class Runner:
    """Runs what is on the queue of batches. It never talks to Redis, except for the device lock."""

    def __init__(
        self,
        queue: BatchQueue,
        board: StatusBoard,
        *,
        owner: str,
        host: Host = NO_HOST,
        lock: DeviceLock | None = None,
        spans: BatchSpans | None = None,
    ) -> None:
        self._queue, self._board, self._host = queue, board, host
        self._owner, self._lock, self._spans = owner, lock, spans
        self._told_s = 0.0
        self._pid = os.getpid()
        self._loaded: TaskType | None = None  # the last one that was looked at

    def run(self) -> None:
        """Runs batches until the queue of batches says that the process is to end."""
        while (batch := self._queue.next_batch()) is not None:
            if self._lock is None:
                self.run_once(batch)
            else:
                self._run_locked(self._lock, batch)

    def _run_locked(self, lock: DeviceLock, batch: Batch) -> None:
        who = holder(self._owner, self._board.next_number)
        if not lock.take(who, lambda: self._queue.stopping):
            self._queue.hand_back(batch)
            return
        try:
            self.run_once(batch)
        finally:
            lock.end(who)

    def run_once(self, batch: Batch) -> None:
        """Runs one batch and puts what came of it on the queue of batches.

        Raises:
            NotLoadedError: its type cannot be loaded.
        """
        queue, claims = self._queue, batch.claims
        if batch.type is not self._loaded:
            # Here, since it takes long and a lost process is no fault of the tasks.
            load(batch.type)
            self._loaded = batch.type
        ids = [claim.id for claim in claims]
        self._board.begin(ids, alone=claims[0].alone)
        if self._board.revocations != queue.revocations:  # looked at only once it shows what begins
            self._board.end()
            queue.hand_back(batch)
            return
        queue.running_since_s = began_s = time.monotonic()
        ready = batch.ready
        if ready is None:
            ready = make_ready(batch.type, [claim.input for claim in claims], ids)
        if self._spans is None:
            answers = run_ready(batch.type, ready, self._host)
        else:
            answers = self._run_traced(self._spans, batch, ready)
        if os.getpid() != self._pid:
            os._exit(0)  # a handler has forked, and this is the other one
        self._board.end()
        ended_s = time.monotonic()
        queue.running_since_s = 0.0
        queue.add_finished(Finished(batch, _results(batch, answers), ended_s - began_s))
        if log.isEnabledFor(logging.DEBUG):
            self._log(batch, answers, ended_s - began_s)
        if batch.last or ended_s - self._told_s > STORE_EVERY_S or queue.exhausted():
            self._told_s = ended_s
            queue.wake()

    def _run_traced(self, spans: BatchSpans, batch: Batch, ready: Sequence[Ready]) -> list[Answer]:
        with spans.of(batch.type.name, [claim.id for claim in batch.claims]) as span:
            answers = run_ready(batch.type, ready, self._host)
            done = sum(answer.done for answer in answers)
            spans.tell_outcome(span, done, len(answers) - done)
        return answers

    def _log(self, batch: Batch, answers: Sequence[Answer], elapsed_s: float) -> None:
        fields = {
            "ms": round(elapsed_s * 1000, 1),
            "done": sum(answer.done for answer in answers),
            "failed": sum(not answer.done for answer in answers),
            "owner": self._owner,
        }
        names = named(batch.type.name, [claim.id for claim in batch.claims])
        text = "%s ran in %.1f ms: %d done, %d failed"
        log.debug(text, names, *[*fields.values()][:3], extra={"fields": fields})


def _results(batch: Batch, answers: Sequence[Answer]) -> list[Result]:
    """What the task manager is to store."""
    return [
        result_of(batch.type, claim.id, *answer)
        for claim, answer in zip(batch.claims, answers, strict=True)
    ]
