"""SAQ's settings."""

from __future__ import annotations

import asyncio
from typing import Any

from saq import Queue

from benchmarks.peers.place import URL

CHUNK = 100

queue = Queue.from_url(URL)


async def noop(_context: Any, *, number: int) -> int:
    """The number itself."""
    return number


settings = {"queue": queue, "functions": [noop], "concurrency": 100}


async def _enqueue(count: int) -> None:
    await queue.connect()
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        await asyncio.gather(*(queue.enqueue("noop", number=number) for number in numbers))
    await queue.disconnect()


def enqueue(count: int) -> None:
    """`count` jobs, some at once."""
    asyncio.run(_enqueue(count))
