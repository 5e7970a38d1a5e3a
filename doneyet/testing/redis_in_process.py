"""A Redis in this process: fakeredis, with Lua."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import count

from task_manager.redis.connection import IN_PROCESS

_numbers = count(1)


@contextmanager
def redis_in_process() -> Iterator[str]:
    """The URL of an empty Redis in the memory of this process, for task managers in it.

    Raises:
        ImportError: `pip install "doneyet[test]"`, which brings fakeredis and its Lua.
    """
    try:
        import_module("lupa")  # fakeredis begins without it, and has no scripts then
        from fakeredis import FakeRedisConnection, FakeServer
    except ImportError as error:
        raise ImportError(f'{error}; pip install "doneyet[test]"') from error
    url = f"redis://in-process-{next(_numbers)}:6379/0"
    IN_PROCESS[url] = {"connection_class": FakeRedisConnection, "server": FakeServer(version=(7,))}
    try:
        yield url
    finally:
        del IN_PROCESS[url]
