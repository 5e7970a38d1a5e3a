"""arq's worker settings."""

from __future__ import annotations

import asyncio
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings

from benchmarks.peers.place import URL

CHUNK = 100
QUIET = {"version": 1, "root": {"level": "ERROR"}}


async def noop(_context: dict[str, Any], number: int) -> int:
    """The number itself."""
    return number


class WorkerSettings:
    """What `arq` runs."""

    functions = [noop]
    redis_settings = RedisSettings.from_dsn(URL)
    max_jobs = 100
    poll_delay = 0.01


async def _enqueue(count: int) -> None:
    pool = await create_pool(WorkerSettings.redis_settings)
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        await asyncio.gather(*(pool.enqueue_job("noop", number) for number in numbers))
    await pool.aclose()


def enqueue(count: int) -> None:
    """`count` jobs, some at once."""
    asyncio.run(_enqueue(count))
