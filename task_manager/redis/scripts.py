"""The Lua scripts of `lua/`, called by name, many in one round trip."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import NoScriptError

FOLDER = Path(__file__).parents[1] / "lua"

_INCLUDE = re.compile(r"^-- include (\S+)\n", re.MULTILINE)

Argument = str | bytes | int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one script: `script` is its path under `lua/` without `.lua`."""

    script: str
    keys: Sequence[Argument]
    args: Sequence[Argument]


_REPLIES: dict[str, type] = {
    **dict.fromkeys(("shared/finish", "shared/renew"), list),
    **dict.fromkeys(("shared/progress", "shared/take_lock", "shared/release_lock"), int),
    "shared/probe": int,
    **{
        f"{queue_mode}/{name}": kind
        for queue_mode in ("random", "distributed")
        for name, kind in (
            *(("submit", list), ("status", list), ("load", list), ("claim", list)),
            *(("return", int), ("forget", int)),
        )
    },
}
"""What scripts return. Another reply is none: what was asked for may not have been done."""


@cache
def _source(script: str) -> str:
    """The script's text; a line `-- include PART` stands for the text of that file."""

    def part(line: re.Match[str]) -> str:
        return (FOLDER / f"{line[1]}.lua").read_text()

    return _INCLUDE.sub(part, (FOLDER / f"{script}.lua").read_text())


@cache
def _sha(script: str) -> str:
    return hashlib.sha1(_source(script).encode(), usedforsecurity=False).hexdigest()


def run(client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
    """The replies of `calls`, made in order in one round trip.

    Calls of scripts that the server does not know (it was restarted) are made again with their
    source, and only those: a claim that was made must not be made twice, since its first reply
    would be lost. With the source, and not loaded before, so that a server whose scripts are
    flushed again and again still answers.
    """
    replies = _run(client, calls, _by_hash)
    unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if unknown:
        again = _run(client, [calls[place] for place in unknown], _by_source)
        for place, reply in zip(unknown, again, strict=True):
            replies[place] = reply
    return _checked(calls, replies)


def run_in_order(client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
    """The replies of `calls` where a later one tells what an earlier one did.

    When the server does not know one of the scripts, all calls are made again: each must be one
    that may be repeated.
    """
    replies = _run(client, calls, _by_hash)
    if any(isinstance(reply, NoScriptError) for reply in replies):
        replies = _run(client, calls, _by_source)
    return _checked(calls, replies)


def _checked(calls: Sequence[Call], replies: list[Any]) -> list[Any]:
    """`replies` where they are what the scripts return.

    Raises:
        TypeError: one is not.
    """
    for call, reply in zip(calls, replies, strict=True):
        if isinstance(reply, Exception):
            raise reply
        kind = _REPLIES.get(call.script, object)
        if not isinstance(reply, kind):
            raise TypeError(f"{call.script} returned {str(reply)[:40]!r}, which is no {kind}")
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
    return ("EVALSHA", _sha(call.script), len(call.keys), *call.keys, *call.args)


def _by_source(call: Call) -> tuple[Argument, ...]:
    return ("EVAL", _source(call.script), len(call.keys), *call.keys, *call.args)
