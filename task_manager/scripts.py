"""The Lua scripts of `lua/`, called by name, many in one round trip."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import NoScriptError

FOLDER = Path(__file__).parent / "lua"

Argument = str | bytes | int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one script: `script` is its path under `lua/` without `.lua`."""

    script: str
    keys: Sequence[Argument]
    args: Sequence[Argument]


@cache
def _source(script: str) -> str:
    return (FOLDER / f"{script}.lua").read_text()


@cache
def _sha(script: str) -> str:
    return hashlib.sha1(_source(script).encode(), usedforsecurity=False).hexdigest()


def run(client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
    """The replies of `calls`, made in order in one round trip.

    Calls of scripts that the server does not know (it was restarted) are made again, and only
    those: a claim that was made must not be made twice, since its first reply would be lost.
    """
    replies = _run(client, calls)
    unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        for script in {calls[place].script for place in unknown}:
            client.script_load(_source(script))
        again = _run(client, [calls[place] for place in unknown])
        for place, reply in zip(unknown, again, strict=True):
            replies[place] = reply
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def run_in_order(client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
    """The replies of `calls` where a later one tells what an earlier one did.

    When the server does not know one of the scripts, all calls are made again: each must be one
    that may be repeated.
    """
    replies = _run(client, calls)
    if any(isinstance(reply, NoScriptError) for reply in replies):
        for script in {call.script for call in calls}:
            client.script_load(_source(script))
        replies = _run(client, calls)
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def _run(client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
    """One reply or `ResponseError` per call."""
    if len(calls) == 1:
        try:
            return [client.execute_command(*_command(calls[0]))]
        except redis.ResponseError as error:
            return [error]
    pipeline = client.pipeline(transaction=False)
    for call in calls:
        pipeline.execute_command(*_command(call))
    return pipeline.execute(raise_on_error=False)


def _command(call: Call) -> tuple[Argument, ...]:
    return ("EVALSHA", _sha(call.script), len(call.keys), *call.keys, *call.args)
