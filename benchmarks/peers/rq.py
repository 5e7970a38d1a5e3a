"""RQ's queue."""

from __future__ import annotations

from redis import Redis
from rq import Queue

from benchmarks.peers.place import URL

CHUNK = 500


def noop(number: int) -> int:
    """The number itself."""
    return number


def enqueue(count: int) -> None:
    """`count` jobs, many in one round trip."""
    queue = Queue(connection=Redis.from_url(URL))
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        queue.enqueue_many([Queue.prepare_data(noop, (number,)) for number in numbers])
