"""Which nodes of a cluster run which scripts.

redis-py would find them, too. But its pipelines and its retries may make a claim twice. And it
follows `ASK`, which leads to where a slot moves while some of its keys are still where it was: a
script that looks for these would take them for lost. Whoever meets such a slot is told to come
again, as where Redis is away.

A call whose node does not answer, or whose slot has none, fails; those of other nodes do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.cluster import ClusterNode
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    SlotNotCoveredError,
    TryAgainError,
)

from task_manager.redis.clients import Client, Cluster
from task_manager.redis.scripts.lua_script import Call

MOST_ROUNDS = 5
"""How often a call is sent to a node that does not run it: its slot has moved, or it is away."""


class NodeAwayError(redis.ConnectionError):
    """Raised when a node did not answer lately, so that nobody called it now."""


NOT_RUN = (AskError, ClusterDownError, NodeAwayError, SlotNotCoveredError, TryAgainError)
"""Replies to a call that was surely not made: its slot moves, or has no node now."""


def run_by_node(
    client: Cluster,
    calls: Sequence[Call],
    run: Callable[[redis.Redis, Sequence[Call]], list[Any]],
) -> list[Any]:
    """One reply, or the error that came in its place, per call; `run` makes those of one node, in
    one round trip."""
    replies: list[Any] = [redis.ConnectionError("slots keep moving between its nodes")] * len(calls)
    left: Sequence[int] = range(len(calls))
    retries = client.retry.get_retries()
    for _ in range(MOST_ROUNDS):
        again: list[int] = []
        is_down = False
        for node, places in _by_node(client, calls, left, replies):
            try:
                told = run(client.get_redis_connection(node), [calls[at] for at in places])
            except (redis.ConnectionError, redis.TimeoutError) as error:
                # A connection may have died while it was idle. Who is silent stays so.
                if retries > 0 and not isinstance(error, redis.TimeoutError):
                    retries -= 1
                    client.nodes_manager.initialize(last_failed_node_name=node.name)
                    again += places
                else:
                    client.leave_alone(node)
                    for at in places:
                        replies[at] = error
                continue
            for at, reply in zip(places, told, strict=True):
                is_down |= isinstance(reply, ClusterDownError)
                if isinstance(reply, MovedError):  # so it did not run there
                    client.nodes_manager.move_slot(reply)
                    again.append(at)
                else:
                    replies[at] = reply
        if is_down:  # this node is: another may have its slots
            client.nodes_manager.initialize()
        if not again:
            break
        left = sorted(again)
    return replies


@contextmanager
def at_node(client: Client, key: str) -> Iterator[redis.Redis]:
    """The server that has a key, for commands that are no scripts.

    Raises:
        redis.RedisError: it is away, or its slot is elsewhere by now: try again.
    """
    if isinstance(client, redis.Redis):
        yield client
        return
    try:
        node = client.node_of(key)
    except SlotNotCoveredError as error:
        raise ClusterDownError(str(error)) from error
    if node.name in client.absences:
        raise _away(node)
    try:
        yield client.get_redis_connection(node)
    except (redis.ConnectionError, redis.TimeoutError):
        client.leave_alone(node)
        raise
    except MovedError as error:
        client.nodes_manager.move_slot(error)
        raise TryAgainError(str(error)) from error


def _by_node(
    client: Cluster, calls: Sequence[Call], places: Sequence[int], replies: list[Any]
) -> list[tuple[ClusterNode, list[int]]]:
    """The nodes that have the keys of the calls at these places; that of the last call is last,
    since it may be a claim, which would be lost where another node fails after it. `replies` tells
    of those that have none."""
    found: dict[str, tuple[ClusterNode, list[int]]] = {}
    for place in places:
        try:
            node = client.node_of(str(calls[place].keys[0]))
        except SlotNotCoveredError as error:
            replies[place] = error
            continue
        if node.name in client.absences:
            replies[place] = _away(node)
        else:
            found.setdefault(node.name, (node, []))[1].append(place)
    return sorted(found.values(), key=lambda each: each[1][-1])


def _away(node: ClusterNode) -> NodeAwayError:
    return NodeAwayError(f"node {node.name} does not answer")
