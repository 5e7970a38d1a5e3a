"""Clients of what a Redis URL names: a Redis by itself, one that Sentinels know, or a cluster."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from itertools import compress
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.cluster import PRIMARY, ClusterNode, RedisCluster
from redis.connection import parse_url
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import RedisClusterException, SlotNotCoveredError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from doneyet.redis_url import servers_of
from task_manager.redis.absences import Absences


class Cluster(RedisCluster):
    """A cluster's client that knows which nodes do not answer.

    Attributes:
        absences: those.
        is_lost: whether none answers that is known. Those that the URL names may be others.
    """

    def __init__(self, **options: Any) -> None:
        self.absences = Absences(self._is_over)
        self.is_lost = False
        super().__init__(**options)

    def primaries(self) -> list[ClusterNode]:
        """The nodes that take writes."""
        found: list[ClusterNode] = self.get_primaries()  # type: ignore[no-untyped-call]
        return found

    def node_of(self, key: str) -> ClusterNode:
        """The node that has a key.

        Raises:
            SlotNotCoveredError: none has; one will be looked for.
        """
        try:
            node: ClusterNode = self.get_node_from_key(key)  # type: ignore[no-untyped-call]
        except SlotNotCoveredError:
            self.absences.add(_NOBODY)
            raise
        return node

    def leave_alone(self, node: ClusterNode) -> None:
        """It does not answer: what waits to be used of its connections is closed, too."""
        self.absences.add(node.name)
        if node.redis_connection is not None:
            node.redis_connection.connection_pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        """Lets go of connections."""
        self.absences.close()
        super().close()

    def _is_over(self, name: str) -> bool:
        """Whether a node answers, or another has its slots, of which the others are asked."""
        try:
            self.nodes_manager.initialize(last_failed_node_name=name)
        except RedisClusterException:
            self.is_lost = True
            raise
        if name == _NOBODY:
            return len(self.nodes_manager.slots_cache) == REDIS_CLUSTER_HASH_SLOTS
        node = self.nodes_manager.get_node(node_name=name)
        if node is None or node.server_type != PRIMARY:
            return True
        return bool(self.get_redis_connection(node).ping())


_NOBODY = ""
"""The name of the node of slots that have none."""

Client = redis.Redis | Cluster


def open_client(
    url: str,
    *,
    retries: int | None = None,
    more: Mapping[str, Any] | None = None,
    **common: Any,
) -> Client:
    """A client; that of a cluster connects at once, any other at its first call.

    Args:
        url: as in `DONEYET_REDIS_URL`.
        retries: how often a call is made again, at once, where its connection breaks; None: as
            redis-py has it.
        more: options besides, for a server in this process.
        common: options of every connection, those to Sentinels included.

    Raises:
        RedisClusterException: no node of a cluster answers.
    """
    if retries is not None:
        common["retry"] = Retry(NoBackoff(), retries)
    servers = servers_of(url)
    if servers.kind == "one":
        return redis.Redis.from_url(url, **common, **(more or {}))
    named = [_options(each) for each in servers.urls]
    addresses = [(each.pop("host"), each.pop("port", 6379)) for each in named]
    of_redis = {**_options(servers.redis_url), **common}
    del of_redis["host"]
    of_redis.pop("port", None)
    if servers.kind == "cluster":
        return Cluster(
            startup_nodes=[ClusterNode(*each) for each in addresses],
            require_full_coverage=False,  # what is there still answers
            **of_redis,
        )
    of_sentinels = {**named[0], **common}
    sentinels: Any = _Sentinels(addresses, sentinel_kwargs=of_sentinels)  # type: ignore[no-untyped-call]
    client: redis.Redis = sentinels.master_for(servers.service, **of_redis)
    return client


class _Sentinels(Sentinel):
    """Say why none of them answers, where none does; redis-py keeps that to itself."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        with suppress(MasterNotFoundError):
            found: tuple[str, int] = super().discover_master(service_name)  # type: ignore[no-untyped-call]
            return found
        why = None
        for each in self.sentinels:
            try:
                each.ping()
            except redis.RedisError as error:
                why = error
            else:
                why = None
                break
        raise MasterNotFoundError(f"no master is known as {service_name!r}") from why


def database_of(url: str) -> int:
    """The number of the database that `url` names."""
    return int(_options(servers_of(url).redis_url).get("db") or 0)


def each_server(client: Client) -> list[redis.Redis]:
    """A client of each server that takes writes: one, or those of a cluster."""
    if isinstance(client, redis.Redis):
        return [client]
    return [client.get_redis_connection(node) for node in client.primaries()]


def servers_there(client: Client) -> list[redis.Redis]:
    """As `each_server`, but for those that did not answer lately; all where none did."""
    servers = each_server(client)
    if isinstance(client, redis.Redis):
        return servers
    there = [node.name not in client.absences for node in client.primaries()]
    return [*compress(servers, there)] or servers


def idle_pools(client: Client) -> list[redis.ConnectionPool]:
    """Where the connections are that wait to be used."""
    return [each.connection_pool for each in each_server(client)]


def subscription(client: Client) -> PubSub:
    """For what is published anywhere: a cluster's node hears of it from the others."""
    pubsub: PubSub = random.choice(servers_there(client)).pubsub()
    return pubsub


def still_hears(client: Client, pubsub: PubSub) -> bool:
    """Whether what is published comes to where `pubsub` listens, although that server answers.

    A Redis that was replaced hears nothing any more, nor does a node that left its cluster.
    """
    if isinstance(client, Cluster):
        node = redis.Redis(connection_pool=pubsub.connection_pool)
        told: Mapping[str, str] = node.execute_command("CLUSTER INFO")
        return told["cluster_state"] == "ok" and told["cluster_slots_assigned"] != "0"
    master = follow_master(client)
    if master is None:  # perhaps at a Unix socket, which has neither host nor port
        return True
    at: Any = pubsub.connection
    return master == (at.host, at.port)


def follow_master(client: Client) -> tuple[str, int] | None:
    """Where the Redis is that Sentinels know; idle connections to another one are closed.

    None where there are no Sentinels, or none of them tells.
    """
    pool = client.connection_pool if isinstance(client, redis.Redis) else None
    if not isinstance(pool, SentinelConnectionPool):
        return None
    try:
        host, port = pool.get_master_address()
    except MasterNotFoundError:
        return None
    return host, port


def _options(url: str) -> dict[str, Any]:
    """What redis-py makes of a URL; that there is TLS, as an option."""
    options: dict[str, Any] = dict(parse_url(url))
    if options.pop("connection_class", None) is not None:
        options["ssl"] = True
    return options
