"""Whether Redis will do: there, able to, permitting, keeping what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from doneyet.command.checks.finding import Finding, broken, note, ok
from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings

if TYPE_CHECKING:
    from doneyet.task_types import Registry
    from task_manager.redis.inspection import Inspection

MOST_AWAY_MS = 10.0
"""A round trip that is longer is worth a note: each submit takes one, and each claim."""
MOST_AHEAD_S = 5.0
"""Clocks that differ by more are worth a note."""
MOST_USED = 0.8
"""Of the memory that Redis may take."""


def look_at_redis(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """Rows about Redis; only those that there is something to say about, but for the first."""
    from task_manager import open_submitter
    from task_manager.errors import TaskManagerError
    from task_manager.redis.inspection import inspect

    random = settings.queue_mode == "random"
    try:
        servers = inspect(
            settings.redis_url, settings.key_prefix, settings.input_db if random else None
        )
    except (TaskManagerError, SettingError) as error:
        yield broken("Redis", f"{error} (--redis-url)")
        return
    yield from dict.fromkeys(row for seen in servers for row in _permissions(seen, settings))
    others = []
    try:
        manager = open_submitter(settings, registry.limits)
        try:
            manager.check()
            others = manager.other_versions(list(registry.types))
        finally:
            manager.close()
    except (TaskManagerError, SettingError) as error:
        yield broken("Redis", f"{error} (--redis-url)")
    else:
        yield _place(max(servers, key=lambda seen: seen.round_trip_ms), settings)
    for load in others:
        tasks = load.waiting + load.running
        if tasks and not load.workers:
            text = (
                f"version {load.version} has {tasks} tasks and no worker: they wait until one is "
            )
            yield note(load.type, f"{text}started, or nobody asks for them any more")
    yield from dict.fromkeys(row for seen in servers for row in _state(seen, settings))


def _state(seen: Inspection, settings: Settings) -> Iterator[Finding]:
    if seen.foreign_key:
        yield broken(
            "Redis input database",
            f"database {settings.input_db} has other keys, such as {seen.foreign_key!r}; workers "
            f"look for tasks there at random, so set {env_name('input_db')} to an empty one",
        )
    if not seen.info:
        yield note(
            "Redis persistence",
            "this user may not ask (INFO); see to noeviction and appendonly yes yourself",
        )
    else:
        yield from _eviction(seen.info)
        yield from _persistence(seen.info)
        yield from _memory(seen.info)
    yield from _clock(seen)


def _place(seen: Inspection, settings: Settings) -> Finding:
    version = seen.info.get("valkey_version") or seen.info.get("redis_version")
    text = f"{version or 'of a hidden version'} at {settings.redis_place}"
    text += f", {seen.round_trip_ms:.1f} ms away"
    if seen.round_trip_ms > MOST_AWAY_MS:
        return note("Redis", f"{text}: each submit takes at least that; bring them nearer")
    return ok("Redis", text)


def _permissions(seen: Inspection, settings: Settings) -> Iterator[Finding]:
    if not seen.refused:
        return
    prefix = settings.key_prefix
    yield broken(
        "Redis permissions",
        f"{', '.join(seen.refused)} refused; the user needs the ACL rules +@all -@dangerous "
        f"~{prefix}:* &{prefix}:*",
    )


def _eviction(info: Mapping[str, Any]) -> Iterator[Finding]:
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield broken(
            "Redis eviction",
            f"{policy} throws waiting tasks away; set maxmemory-policy noeviction",
        )


def _persistence(info: Mapping[str, Any]) -> Iterator[Finding]:
    failed = [
        what
        for name, what in (
            ("rdb_last_bgsave_status", "the last snapshot"),
            ("aof_last_write_status", "the last write of the append-only file"),
            ("aof_last_bgrewrite_status", "the last rewrite of the append-only file"),
        )
        if info.get(name, "ok") != "ok"
    ]
    if failed:
        yield broken(
            "Redis persistence",
            f"{' and '.join(failed)} failed: Redis may refuse writes; look at its log, and at its "
            "disk's space and permissions",
        )
    if not info.get("aof_enabled"):
        yield note(
            "Redis persistence",
            "no append-only file: what waits is lost with the server; set appendonly yes",
        )


def _memory(info: Mapping[str, Any]) -> Iterator[Finding]:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    machine = int(info.get("total_system_memory", 0))
    what = "Redis memory"
    if most and used >= MOST_USED * most:
        text = f"{_mib(used)} of {_mib(most)} (maxmemory) are used; raise it, or keep results less"
        advice = f"long ({env_name('result_ttl_s')}): a full Redis refuses new tasks"
        yield (broken if used >= most else note)(what, f"{text} {advice}")
    elif not most and machine and used >= MOST_USED * machine:
        text = f"{_mib(used)} of the machine's {_mib(machine)} are used, and there is no limit; set"
        yield note(what, f"{text} maxmemory, so that it refuses new tasks before it is ended")


def _clock(seen: Inspection) -> Iterator[Finding]:
    if abs(seen.clock_ahead_s) <= MOST_AHEAD_S:
        return
    way = "ahead of" if seen.clock_ahead_s > 0 else "behind"
    yield note(
        "clock",
        f"Redis' is {abs(seen.clock_ahead_s):.0f} s {way} this machine's: times in answers are "
        "Redis', those in logs are not; have both synchronized (NTP)",
    )


def _mib(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"
