"""Clients of what a Redis URL names: a Redis by itself, one that Sentinels know, or a cluster."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from doneyet.redis_url import servers_of

Client = redis.Redis | RedisCluster


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
        return RedisCluster(
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
    return [client.get_redis_connection(node) for node in client.get_primaries()]


def idle_pools(client: Client) -> list[redis.ConnectionPool]:
    """Where the connections are that wait to be used."""
    return [each.connection_pool for each in each_server(client)]


def subscription(client: Client) -> PubSub:
    """For what is published anywhere: a cluster's node hears of it from the others."""
    pubsub: PubSub = random.choice(each_server(client)).pubsub()
    return pubsub


def still_hears(client: Client, pubsub: PubSub) -> bool:
    """Whether what is published comes to where `pubsub` listens, although that server answers.

    A Redis that was replaced hears nothing any more, nor does a node that left its cluster.
    """
    if isinstance(client, RedisCluster):
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
