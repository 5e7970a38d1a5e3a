"""Keeping an RQ worker on RQ's lists of workers, by which `/load` counts them."""

from __future__ import annotations

import logging
import threading

import redis
from rq import SimpleWorker, worker_registration

log = logging.getLogger(__name__)


class Registration:
    """Puts `worker` back where Redis has lost everything, after `every_s` at most.

    RQ writes who its workers are once, at their birth.
    """

    def __init__(self, worker: SimpleWorker, every_s: float) -> None:
        self._worker, self._every_s = worker, every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="registration", daemon=True)

    def start(self) -> None:
        """Looks from now on."""
        self._thread.start()

    def end(self) -> None:
        """The worker has said its farewell, and stays off the lists."""
        self._over.set()
        self._thread.join()
        worker_registration.unregister(self._worker)

    def _keep(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._look()
            except redis.RedisError as error:
                log.debug("the registration is not looked at: %s", error)

    def _look(self) -> None:
        worker = self._worker
        birth, death = worker.connection.hmget(worker.key, "birth", "death")
        if worker.birth_date is None or death is not None:
            return
        with worker.connection.pipeline() as pipeline:
            if birth is None:  # a heartbeat may have written a part of it
                pipeline.hset(worker.key, mapping=worker.serialize())
                pipeline.expire(worker.key, worker.worker_ttl + 60)
            worker_registration.register(worker, pipeline)
            pipeline.execute()
