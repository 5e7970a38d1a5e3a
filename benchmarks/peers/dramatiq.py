"""Dramatiq's broker and actor."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.peers.place import RESULT_URL, URL

broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=RESULT_URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def noop(number: int) -> int:
    """The number itself."""
    return number


def enqueue(count: int) -> None:
    """`count` messages."""
    for number in range(count):
        noop.send(number)
