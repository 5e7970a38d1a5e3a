"""taskiq's broker: of its Redis brokers, the one that acknowledges."""

from __future__ import annotations

import asyncio

from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from benchmarks.peers.place import RESULT_URL, URL

CHUNK = 100

broker = RedisStreamBroker(url=URL).with_result_backend(
    RedisAsyncResultBackend(redis_url=RESULT_URL)
)


@broker.task
async def noop(number: int) -> int:
    """The number itself."""
    return number


async def _enqueue(count: int) -> None:
    await broker.startup()
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        await asyncio.gather(*(noop.kiq(number) for number in numbers))
    await broker.shutdown()


def enqueue(count: int) -> None:
    """`count` tasks, some at once."""
    asyncio.run(_enqueue(count))
