"""Connections to Redis or Valkey, and what their errors mean here."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import InvalidResponse, NoPermissionError
from redis.retry import Retry

from doneyet.redis_url import without_password
from task_manager.errors import MisconfiguredError, UnsupportedServerError
from task_manager.redis.errors import translated, unreadable

log = logging.getLogger(__name__)

OLDEST_REDIS = (6, 2)
OLDEST_VALKEY = (7, 2)
TIMEOUT_S = 1.5
"""How long one call may take; a server that is away is told about within 2 s."""
LONGEST_WAIT_S = 1.0
"""How long a claim waits in the server at most, so that a server that hangs is noticed."""
_SAY_AGAIN_S = 60.0


IN_PROCESS: dict[str, Mapping[str, Any]] = {}
"""By their URLs, servers that are in this process, as in tests: what `redis.Redis.from_url` needs
besides to reach one. They are not asked for their version."""


class Connection:
    """A pool of connections to one server, checked for its version at the first use."""

    def __init__(self, url: str) -> None:
        self._place = without_password(url)
        self._checked = url in IN_PROCESS
        self._said_s = 0.0
        # One repetition, so that a connection that died while it was idle is not an error.
        retry = Retry(NoBackoff(), 1)
        common: dict[str, Any] = {
            "socket_connect_timeout": TIMEOUT_S / 2,
            "health_check_interval": 0,
            "protocol": 2,
            **IN_PROCESS.get(url, {}),
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
        self.db = int(self._client.connection_pool.connection_kwargs.get("db") or 0)

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """A client for calls that return at once; its errors become ours.

        Replies are to be read within the context, too: one that cannot be read is none.

        Raises:
            UnavailableError: the server cannot be reached, refuses for now, or speaks nonsense.
            MisconfiguredError: it will refuse until somebody changes a setting.
        """
        with self._translated():
            if not self._checked:
                self._check_server()
            yield self._client

    @contextmanager
    def claiming_client(self) -> Iterator[redis.Redis]:
        """As `client`, but makes each call at most once; one may wait up to `LONGEST_WAIT_S`.

        Also for subscriptions: their connection is not made again behind the listener's back.
        """
        with self.client():
            yield self._claiming

    def close(self) -> None:
        """Closes all connections."""
        for client in (self._client, self._claiming):
            client.close()
            client.connection_pool.disconnect()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except redis.DataError:
            raise  # a mistake of ours, and nothing was sent
        except redis.RedisError as error:
            if isinstance(error, redis.TimeoutError | InvalidResponse):
                self._drop_idle()
            raise translated(error, self._place) from error
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            self._drop_idle()
            if time.monotonic() > self._said_s + _SAY_AGAIN_S or not self._said_s:
                self._said_s = time.monotonic()
                log.exception("%s", unreadable(self._place))
            raise unreadable(self._place) from error

    def _drop_idle(self) -> None:
        """Whatever befell one connection may have befallen those that wait to be used."""
        for client in (self._client, self._claiming):
            client.connection_pool.disconnect(inuse_connections=False)

    def _check_server(self) -> None:
        # Without a lock: several threads may ask at once, but none waits for another's timeout.
        try:
            info: Mapping[str, Any] = self._client.info("server")
        except NoPermissionError:
            info = _hello(self._client)
        check_mode(info, self._place)
        check_version(info, self._place)
        self._checked = True


def _hello(client: redis.Redis) -> Mapping[str, Any]:
    """As INFO server, for a user who may not ask for that; empty where HELLO is refused, too."""
    try:
        reply: Any = client.execute_command("HELLO")
    except NoPermissionError:
        return {}
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
    told = {_text(name): _text(value) for name, value in pairs}
    return {f"{told['server']}_version": told["version"], "redis_mode": told.get("mode", "")}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def check_mode(info: Mapping[str, Any], place: str) -> None:
    """Raises `MisconfiguredError` when `info` tells of a cluster's node, or of a Sentinel."""
    mode = info.get("redis_mode", "")
    if mode in ("cluster", "sentinel"):
        what = "a node of a Redis Cluster" if mode == "cluster" else "a Redis Sentinel"
        raise MisconfiguredError(
            f"DONEYET_REDIS_URL must name a Redis by itself, but {place} is {what}"
        )


def check_version(info: Mapping[str, Any], place: str) -> None:
    """Raises `UnsupportedServerError` when `info` (of INFO server) tells of too old a server."""
    if "valkey_version" in info:
        name, found, oldest = "Valkey", str(info["valkey_version"]), OLDEST_VALKEY
    elif "redis_version" in info:
        name, found, oldest = "Redis", str(info["redis_version"]), OLDEST_REDIS
    else:
        return  # a server of another name; it will tell what it does not know
    if tuple(int(part) for part in found.split(".")[:2]) < oldest:
        needed = ".".join(map(str, oldest))
        raise UnsupportedServerError(
            f"{name} {found} at {place} is too old; doneyet needs Redis 6.2 or later, "
            f"or Valkey 7.2 or later (for {name}: at least {needed})"
        )
