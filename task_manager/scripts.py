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

    When the server does not know a script (it was restarted), all are loaded and all calls made
    again; every script may be repeated.
    """
    try:
        return _run(client, calls)
    except NoScriptError:
        for script in {call.script for call in calls}:
            client.script_load(_source(script))
        return _run(client, calls)


def _run(client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
    if len(calls) == 1:
        return [client.execute_command(*_command(calls[0]))]
    pipeline = client.pipeline(transaction=False)
    for call in calls:
        pipeline.execute_command(*_command(call))
    return pipeline.execute()


def _command(call: Call) -> tuple[Argument, ...]:
    return ("EVALSHA", _sha(call.script), len(call.keys), *call.keys, *call.args)
