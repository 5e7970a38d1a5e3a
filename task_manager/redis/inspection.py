"""What `doneyet check` asks of a Redis, beside whether a task manager can use it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.exceptions import NoPermissionError

from task_manager.redis.clients import each_server
from task_manager.redis.connection import Connection
from task_manager.redis.keys import Keys
from task_manager.redis.scripts.lua_script import FOLDER

SAMPLES = 16
"""Keys of the input database that are looked at: RANDOMKEY is what workers find tasks by."""

_CALL = re.compile(r"redis\.p?call\(\s*['\"]([A-Za-z]+)['\"]")


@dataclass(frozen=True)
class Inspection:
    """What was found."""

    info: Mapping[str, Any] = field(default_factory=dict)
    """INFO; empty where this user may not ask."""
    round_trip_ms: float = 0.0
    """The shortest of some."""
    clock_ahead_s: float = 0.0
    """How far Redis' clock is ahead of this machine's; negative where it is behind."""
    refused: Sequence[str] = ()
    """What Redis does not permit this user: commands, `keys`, `channels`."""
    foreign_key: str = ""
    """A key in the input database that is not one of ours."""


def inspect(url: str, prefix: str, input_db: int | None) -> list[Inspection]:
    """Looks at each server that takes writes, and changes nothing.

    Args:
        url: as in `DONEYET_REDIS_URL`.
        prefix: what keys begin with.
        input_db: the database of waiting tasks, where they have one of their own.

    Raises:
        UnavailableError: the server cannot be reached, or refuses for now.
        MisconfiguredError: it will refuse until somebody changes a setting.
    """
    connection = Connection(url)
    try:
        with connection.client() as client:
            return [_inspected(each, Keys(prefix), input_db) for each in each_server(client)]
    finally:
        connection.close()


def _inspected(client: redis.Redis, keys: Keys, input_db: int | None) -> Inspection:
    refused = list(_refused(client, keys))
    if refused:
        return Inspection(_info(client), refused=refused)
    away_s, ahead_s = _clock(client)
    foreign = "" if input_db is None else _foreign_key(client, keys, input_db)
    return Inspection(_info(client), away_s * 1000, ahead_s, (), foreign)


def commands() -> list[str]:
    """Every command that scripts call, and those that call scripts."""
    found = {name for path in FOLDER.rglob("*.lua") for name in _CALL.findall(path.read_text())}
    return sorted({name.upper() for name in found} | {"BLPOP", "EVALSHA", "PING", "SUBSCRIBE"})


def _info(client: redis.Redis) -> Mapping[str, Any]:
    try:
        info: Mapping[str, Any] = client.info()
    except NoPermissionError:
        return {}
    return info


def _clock(client: redis.Redis) -> tuple[float, float]:
    """The length of a round trip, s, and how far Redis' clock is ahead, s: by the shortest."""
    best = (float("inf"), 0.0)
    for _ in range(3):
        began_s = time.perf_counter()
        seconds, microseconds = client.time()
        took_s = time.perf_counter() - began_s
        best = min(best, (took_s, seconds + microseconds / 1e6 + took_s / 2 - time.time()))
    return best


def _refused(client: redis.Redis, keys: Keys) -> Iterator[str]:
    """What this user may not do. Redis judges a command when it is queued; none is run."""
    names = commands()
    connection = client.connection_pool.get_connection()
    try:
        kinds = _ask(connection, "COMMAND", "INFO", *names)
        if isinstance(kinds, Exception) or isinstance(_ask(connection, "MULTI"), Exception):
            return  # it tells nothing of commands; whether they work, `check` finds out
        seen = set()
        for name, kind in zip(names, kinds, strict=True):
            if kind is None:
                continue  # a server of another kind
            reply = _ask(connection, name, *_arguments(name, kind, keys))
            if isinstance(reply, NoPermissionError):
                what = _what(name, str(reply))
                if what not in seen:
                    seen.add(what)
                    yield what
    finally:
        connection.disconnect()  # which discards all
        client.connection_pool.release(connection)


def _arguments(name: str, kind: Sequence[Any], keys: Keys) -> list[str]:
    """As many as the command takes at least; a key of ours where it takes one."""
    if name == "EVALSHA":
        return ["0" * 40, "0"]
    if name in ("PUBLISH", "SUBSCRIBE"):
        return [keys.finished(), ""][: 2 if name == "PUBLISH" else 1]
    least, first_key = abs(int(kind[1])) - 1, int(kind[3])
    return [keys.probe() if at == first_key else "1" for at in range(1, least + 1)]


def _what(name: str, said: str) -> str:
    """What exactly was refused."""
    if "key" in said.lower():
        return "keys"
    return "channels" if "channel" in said.lower() else name


def _ask(connection: Any, *words: str) -> Any:
    """A reply, or the error that is the reply."""
    connection.send_command(*words)
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


def _foreign_key(client: redis.Redis, keys: Keys, input_db: int) -> str:
    """A key that is none of ours, where some are found by chance."""
    ours = keys.input("").encode()
    connection = client.connection_pool.get_connection()
    try:
        if isinstance(_ask(connection, "SELECT", str(input_db)), Exception):
            return ""  # there is no such database, which `check` says
        for _ in range(SAMPLES):
            key = _ask(connection, "RANDOMKEY")
            if isinstance(key, bytes) and not key.startswith(ours):
                return key.decode(errors="replace")
        return ""
    finally:
        connection.disconnect()
        client.connection_pool.release(connection)
