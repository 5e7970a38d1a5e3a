"""Connections to Redis or Valkey, and what their errors mean here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from settings import without_password
from task_manager.errors import UnavailableError, UnsupportedServerError

OLDEST_REDIS = (6, 2)
OLDEST_VALKEY = (7, 2)
TIMEOUT_S = 1.5
"""How long one call may take; a server that is away is told about within 2 s."""
LONGEST_WAIT_S = 1.0
"""How long a claim waits in the server at most, so that a server that hangs is noticed."""


class Connection:
    """A pool of connections to one server, checked for its version at the first use."""

    def __init__(self, url: str) -> None:
        self._place = without_password(url)
        self._checked = False
        self._check_lock = threading.Lock()
        # One repetition, so that a connection that died while it was idle is not an error.
        retry = Retry(NoBackoff(), 1)
        common: dict[str, Any] = {
            "socket_connect_timeout": TIMEOUT_S / 2,
            "health_check_interval": 0,
            "protocol": 2,
        }
        self._client = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S / 2, retry=retry, **common
        )
        # Never repeated: a call that was made although its reply was late would be made twice,
        # and what the first one claimed would be held by an owner that never heard of it.
        self._claiming = redis.Redis.from_url(
            url,
            socket_timeout=LONGEST_WAIT_S + TIMEOUT_S / 2,
            retry=Retry(NoBackoff(), 0),
            **common,
        )
        # Blocking calls say themselves how long they wait.
        self._blocking = redis.Redis.from_url(
            url, socket_timeout=None, retry=Retry(NoBackoff(), 0), **common
        )
        self.db = int(self._client.connection_pool.connection_kwargs.get("db") or 0)

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """A client for calls that return at once; its errors become ours.

        Raises:
            UnavailableError: the server cannot be reached, or refuses for now.
            UnsupportedServerError: the server is too old.
        """
        with self._translated():
            if not self._checked:
                self._check_version()
            yield self._client

    @contextmanager
    def claiming_client(self) -> Iterator[redis.Redis]:
        """A client that makes each call at most once, which may wait up to `LONGEST_WAIT_S`."""
        with self.client():
            yield self._claiming

    @contextmanager
    def blocking_client(self) -> Iterator[redis.Redis]:
        """A client for calls that wait in the server, and for subscriptions."""
        with self._translated():
            yield self._blocking

    def close(self) -> None:
        """Closes all connections."""
        for client in (self._client, self._claiming, self._blocking):
            client.close()
            client.connection_pool.disconnect()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise UnavailableError(f"Redis at {self._place} cannot be reached: {error}") from error
        except (redis.OutOfMemoryError, redis.ReadOnlyError) as error:
            raise UnavailableError(f"Redis at {self._place} takes no writes: {error}") from error

    def _check_version(self) -> None:
        with self._check_lock:
            info = self._client.info("server")
            check_version(info, self._place)
            self._checked = True


def check_version(info: dict[str, Any], place: str) -> None:
    """Raises `UnsupportedServerError` when `info` (of INFO server) tells of too old a server."""
    if "valkey_version" in info:
        name, found, oldest = "Valkey", str(info["valkey_version"]), OLDEST_VALKEY
    else:
        name, found, oldest = "Redis", str(info["redis_version"]), OLDEST_REDIS
    if tuple(int(part) for part in found.split(".")[:2]) < oldest:
        needed = ".".join(map(str, oldest))
        raise UnsupportedServerError(
            f"{name} {found} at {place} is too old; doneyet needs Redis 6.2 or later, "
            f"or Valkey 7.2 or later (for {name}: at least {needed})"
        )
