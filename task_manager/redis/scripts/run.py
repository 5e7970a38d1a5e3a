"""Running Lua scripts, many in one round trip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import redis
from redis.exceptions import NoScriptError

from task_manager.redis.clients import Client
from task_manager.redis.scripts.lua_script import Argument, Call
from task_manager.redis.scripts.run_on_cluster import run_by_node


def run_scripts(client: Client, calls: Sequence[Call]) -> list[Any]:
    """The replies of `calls`, made in order in one round trip; on a cluster, in one to each node.

    Calls of scripts that the server does not know (it was restarted) are made again with their
    source, and only those: a claim that was made must not be made twice, since its first reply
    would be lost. With the source, and not loaded before, so that a server whose scripts are
    flushed again and again still answers.

    Raises:
        redis.RedisError: one of them failed.
        TypeError: a reply is not what the script returns.
    """
    replies = run_each(client, calls)
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def run_each(client: Client, calls: Sequence[Call]) -> list[Any]:
    """As `run_scripts`, with the error in the place of each reply where a part of Redis fails.

    Raises:
        redis.RedisError: a Redis by itself does not answer.
        TypeError: a reply is not what the script returns.
    """
    if isinstance(client, redis.Redis):
        return _checked(calls, _run_known(client, calls))
    return _checked(calls, run_by_node(client, calls, _run_known))


def _run_known(client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
    """One reply or `ResponseError` per call, of one server."""
    replies = _run(client, calls, _by_hash)
    unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        again = _run(client, [calls[place] for place in unknown], _by_source)
        for place, reply in zip(unknown, again, strict=True):
            replies[place] = reply
    return replies


def _checked(calls: Sequence[Call], replies: list[Any]) -> list[Any]:
    """`replies` where they are errors, or what the scripts return.

    Raises:
        TypeError: one is not: what was asked for may not have been done.
    """
    for call, reply in zip(calls, replies, strict=True):
        script = call.script
        if not isinstance(reply, script.reply | Exception):
            raise TypeError(f"{script.name} returned {str(reply)[:40]!r}, no {script.reply}")
    return replies


def _run(
    client: redis.Redis,
    calls: Sequence[Call],
    command: Callable[[Call], tuple[Argument, ...]],
) -> list[Any]:
    """One reply or `ResponseError` per call."""
    if len(calls) == 1:
        try:
            return [client.execute_command(*command(calls[0]))]
        except redis.ResponseError as error:
            return [error]
    pipeline = client.pipeline(transaction=False)
    for call in calls:
        pipeline.execute_command(*command(call))
    return pipeline.execute(raise_on_error=False)


def _by_hash(call: Call) -> tuple[Argument, ...]:
    return ("EVALSHA", call.script.sha, len(call.keys), *call.keys, *call.args)


def _by_source(call: Call) -> tuple[Argument, ...]:
    return ("EVAL", call.script.source, len(call.keys), *call.keys, *call.args)
