"""Huey's queue."""

from __future__ import annotations

from huey import RedisHuey

from benchmarks.peers.place import URL

huey = RedisHuey("noop", url=URL)


@huey.task()
def noop(number: int) -> int:
    """The number itself."""
    return number


def enqueue(count: int) -> None:
    """`count` tasks."""
    for number in range(count):
        noop(number)
