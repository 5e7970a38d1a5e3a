"""Connections to Redis or Valkey, and what their errors mean here."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
from redis.exceptions import InvalidResponse, NoPermissionError, RedisClusterException

from doneyet.redis_url import servers_of, without_password
from task_manager.errors import MisconfiguredError, UnavailableError, UnsupportedServerError
from task_manager.redis.clients import (
    Client,
    Cluster,
    database_of,
    each_server,
    follow_master,
    idle_pools,
    open_client,
)
from task_manager.redis.errors import (
    translated,
    translated_of_cluster,
    unreadable,
    was_replaced,
)

log = logging.getLogger(__name__)

OLDEST_REDIS = (6, 2)
OLDEST_VALKEY = (7, 2)
TIMEOUT_S = 1.5
"""How long one call may take; a server that is away is told about within 2 s."""
LONGEST_WAIT_S = 1.0
"""How long a claim waits in the server at most, so that a server that hangs is noticed."""
LOOK_EVERY_S = 1.0
"""How often Sentinels are asked where the Redis is. One that was replaced although it was there
takes writes for ten seconds more, which are lost."""
_SAY_AGAIN_S = 60.0


IN_PROCESS: dict[str, Mapping[str, Any]] = {}
"""By their URLs, servers that are in this process, as in tests: what `redis.Redis.from_url` needs
besides to reach one. They are not asked for their version."""


class Connection:
    """A pool of connections to what a URL names, checked for its version at the first use."""

    def __init__(self, url: str) -> None:
        self._url, self._place = url, without_password(url)
        kind = servers_of(url).kind
        self.is_cluster = kind == "cluster"
        self.db = database_of(url)
        self._checked = url in IN_PROCESS
        self._said_s = 0.0
        self._look_s = 0.0 if kind == "sentinel" else math.inf
        self._clients: tuple[Client, Client] | None = None

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client for calls that return at once; its errors become ours.

        Replies are to be read within the context, too: one that cannot be read is none.

        Raises:
            UnavailableError: the server cannot be reached, refuses for now, or speaks nonsense.
            MisconfiguredError: it will refuse until somebody changes a setting.
        """
        with self._translated():
            yield self._ready()[0]

    @contextmanager
    def claiming_client(self) -> Iterator[Client]:
        """As `client`, but makes each call at most once; one may wait up to `LONGEST_WAIT_S`.

        Also for subscriptions: their connection is not made again behind the listener's back.
        """
        with self._translated():
            yield self._ready()[1]

    def close(self) -> None:
        """Closes all connections."""
        for client in self._clients or ():
            for pool in idle_pools(client):
                pool.disconnect()
            client.close()

    def _ready(self) -> tuple[Client, Client]:
        # Without a lock: several threads may come at once, but none waits for another's timeout.
        clients = self._clients
        if clients is None or any(isinstance(each, Cluster) and each.is_lost for each in clients):
            self._forget_clients()
            clients = self._clients = self._open()
        if not self._checked:
            self._check_servers(clients[0])
        if time.monotonic() > self._look_s:
            self._look_s = time.monotonic() + LOOK_EVERY_S
            for client in clients:
                follow_master(client)
        return clients

    def _open(self) -> tuple[Client, Client]:
        common: dict[str, Any] = {
            "socket_connect_timeout": TIMEOUT_S / 2,
            "health_check_interval": 0,
            "protocol": 2,
        }
        more = IN_PROCESS.get(self._url, {})
        # One repetition, so that a connection that died while it was idle is not an error.
        once_more = open_client(
            self._url, retries=1, more=more, socket_timeout=TIMEOUT_S / 2, **common
        )
        # Never repeated: a call that was made although its reply was late would be made twice,
        # and what the first one claimed would be held by an owner that never heard of it.
        claiming = open_client(
            self._url,
            retries=0,
            more=more,
            socket_timeout=LONGEST_WAIT_S + TIMEOUT_S / 2,
            **common,
        )
        return once_more, claiming

    def part_of(self, error: Exception) -> UnavailableError:
        """Our error, caused by what came in the place of one reply of several."""
        if isinstance(error, RedisClusterException):
            ours = translated_of_cluster(error, self._place)
        elif isinstance(error, redis.RedisError):
            ours = translated(error, self._place)
        else:
            raise error
        ours.__cause__ = error
        return ours

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except redis.DataError:
            raise  # a mistake of ours, and nothing was sent
        except RedisClusterException as error:
            # Next time from the nodes on that the URL names: those that were found may be gone.
            self._forget_clients()
            raise translated_of_cluster(error, self._place) from error
        except redis.RedisError as error:
            if isinstance(error, redis.TimeoutError | InvalidResponse) or was_replaced(error):
                self._drop_idle()
            raise translated(error, self._place) from error
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            self._drop_idle()
            if time.monotonic() > self._said_s + _SAY_AGAIN_S or not self._said_s:
                self._said_s = time.monotonic()
                log.exception("%s", unreadable(self._place))
            raise unreadable(self._place) from error

    def _forget_clients(self) -> None:
        for client in self._clients or ():
            if isinstance(client, Cluster):
                client.absences.close()
        self._clients = None

    def _drop_idle(self) -> None:
        """Whatever befell one connection may have befallen those that wait to be used."""
        for client in self._clients or ():
            for pool in idle_pools(client):
                pool.disconnect(inuse_connections=False)

    def _check_servers(self, client: Client) -> None:
        for server in each_server(client):
            try:
                info: Mapping[str, Any] = server.info("server")
            except NoPermissionError:
                info = _hello(server)
            except (redis.ConnectionError, redis.TimeoutError):
                if self.is_cluster:
                    continue  # a part of it is away
                raise
            if not self.is_cluster:
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
    mode = info.get("server_mode") or info.get("redis_mode", "")  # Valkey has the former
    if mode in ("cluster", "sentinel"):
        what, form = (
            ("node of a Redis Cluster", "redis+cluster://HOST:PORT with --distributed or --ordered")
            if mode == "cluster"
            else ("Redis Sentinel", "redis+sentinel://HOST:PORT/NAME, the name that it watches")
        )
        raise MisconfiguredError(f"{place} is a {what}: write DONEYET_REDIS_URL as {form}")


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
