"""Which traces a task belongs to: those of the requests that submitted it.

Apart from the task itself, so that nothing of it costs anything where nobody traces.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from task_manager.redis.connection import Connection
from task_manager.redis.keys import Keys

MOST_LINKS = 8
"""Of one task: those that came first."""
KEPT_MS = 3_600_000
"""How long a task knows its traces after the last request that told one."""


class TraceLinks:
    """Written by servers, read by workers; a `traceparent` is as W3C's Trace Context has it."""

    def __init__(self, url: str, prefix: str) -> None:
        self._connection = Connection(url)
        self._keys = Keys(prefix)

    def note(self, tasks: Iterable[tuple[str, str]], traceparent: str) -> None:
        """Each task, of (type, id), belongs to this trace, too; one round trip.

        Raises:
            UnavailableError: Redis is away or refuses.
        """
        with self._connection.client() as client:
            pipeline = client.pipeline(transaction=False)
            for type_name, task_id in tasks:
                key = self._keys.traces(type_name, task_id)
                pipeline.zadd(key, {traceparent: time.time()}, nx=True)
                pipeline.zremrangebyrank(key, MOST_LINKS, -1)
                pipeline.pexpire(key, KEPT_MS)
            pipeline.execute()

    def of(self, type_name: str, task_ids: Sequence[str]) -> list[str]:
        """The traces of these tasks, each once; one round trip.

        Raises:
            UnavailableError: Redis is away or refuses.
        """
        with self._connection.client() as client:
            pipeline = client.pipeline(transaction=False)
            for task_id in task_ids:
                pipeline.zrange(self._keys.traces(type_name, task_id), 0, MOST_LINKS - 1)
            found = [
                each.decode("ascii", "replace") for of_one in pipeline.execute() for each in of_one
            ]
        return [*dict.fromkeys(found)]

    def close(self) -> None:
        """Lets go of connections."""
        self._connection.close()
