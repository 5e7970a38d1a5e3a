"""Which nodes of a cluster run which scripts.

redis-py would find them, too. But its pipelines and its retries may make a claim twice. And it
follows `ASK`, which leads to where a slot moves while some of its keys are still where it was: a
script that looks for these would take them for lost. Whoever meets such a slot is told to come
again, as where Redis is away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    SlotNotCoveredError,
    TryAgainError,
)

from task_manager.redis.scripts.lua_script import Call

MOST_ROUNDS = 5
"""How often a call is sent to a node that does not run it: its slot has moved, or it is away."""

NOT_RUN = (AskError, ClusterDownError, TryAgainError)
"""Replies to a call that was surely not made: its slot moves, or has no node now."""


def run_by_node(
    client: RedisCluster,
    calls: Sequence[Call],
    run: Callable[[redis.Redis, Sequence[Call]], list[Any]],
) -> list[Any]:
    """One reply or `ResponseError` per call; `run` makes those of one node, in one round trip.

    Raises:
        redis.RedisError: a node is away, or the slots keep moving.
        SlotNotCoveredError: no node has a slot.
    """
    replies: list[Any] = [None] * len(calls)
    left: Sequence[int] = range(len(calls))
    retries = client.retry.get_retries()
    for _ in range(MOST_ROUNDS):
        again: list[int] = []
        is_down = False
        for node, places in _by_node(client, calls, left):
            try:
                told = run(client.get_redis_connection(node), [calls[at] for at in places])
            except (redis.ConnectionError, redis.TimeoutError):
                client.nodes_manager.initialize(last_failed_node_name=node.name)
                if retries == 0:
                    raise
                retries -= 1
                again += places
                continue
            for at, reply in zip(places, told, strict=True):
                replies[at] = reply
                is_down |= isinstance(reply, ClusterDownError)
                if isinstance(reply, MovedError):  # so it did not run there
                    client.nodes_manager.move_slot(reply)
                    again.append(at)
        if is_down:  # this node is: another may have its slots
            client.nodes_manager.initialize()
        if not again:
            return replies
        left = sorted(again)
    raise redis.ConnectionError("slots keep moving between its nodes")


def _by_node(
    client: RedisCluster, calls: Sequence[Call], places: Sequence[int]
) -> list[tuple[ClusterNode, list[int]]]:
    """The nodes that have the keys of the calls at these places; that of the last call is last,
    since it may be a claim, which would be lost where another node fails after it."""
    found: dict[str, tuple[ClusterNode, list[int]]] = {}
    try:
        for place in places:
            node = client.get_node_from_key(calls[place].keys[0])
            found.setdefault(node.name, (node, []))[1].append(place)
    except SlotNotCoveredError:
        client.nodes_manager.initialize()
        raise
    return sorted(found.values(), key=lambda each: each[1][-1])
