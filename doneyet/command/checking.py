"""`doneyet check`: whether what the settings name is there and usable, and what to do where not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from doneyet.command.setting_options import settings_command
from doneyet.settings import BOTH, SettingError, Settings

if TYPE_CHECKING:
    from doneyet.task_types import Registry

BROKEN = 1


class Finding(NamedTuple):
    """One row: what was tried, `ok`, `note` or `broken`, and what was found or is to be done."""

    what: str
    state: str
    text: str


def _check(settings: Settings) -> int:
    findings = []
    for finding in look(settings):
        findings.append(finding)
        click.echo(f"{finding.what:<24} {finding.state:<7} {finding.text}")
        sys.stdout.flush()
    return BROKEN if any(finding.state == "broken" for finding in findings) else 0


def look(settings: Settings) -> Iterator[Finding]:
    """Everything that can be tried without serving, the cheapest first."""
    from doneyet.task_types import Registry, TaskTypeError, load_registry

    yield Finding("settings", "ok", f"{settings.queue_mode} queue mode")
    registry = Registry({})
    try:
        registry = load_registry(settings)
        yield Finding("task types", "ok", ", ".join(registry.types) or "none")
    except (TaskTypeError, SettingError) as error:
        yield Finding("task types", "broken", str(error))
    if settings.keys:
        yield _look_at_keys(settings)
    if settings.webhook_secrets:
        yield _look_at_webhooks(settings)
    if settings.queue_mode != "synchronous":
        yield from _look_at_redis(settings, registry)
    if settings.storage:
        yield from _look_at_storage(settings)
    yield from _load(registry)


def _look_at_keys(settings: Settings) -> Finding:
    from http_server.keys.key_file import read_key_file

    try:
        keys = read_key_file(Path(settings.keys))
    except SettingError as error:
        return Finding("keys", "broken", str(error))
    return Finding("keys", "ok", ", ".join(sorted({key.name for key in keys.values()})))


def _look_at_webhooks(settings: Settings) -> Finding:
    from http_server.webhooks.signing import secrets_from

    try:
        count = len(secrets_from(settings))
    except SettingError as error:
        return Finding("webhooks", "broken", str(error))
    return Finding("webhooks", "ok", "1 secret signs" if count == 1 else f"{count} secrets sign")


def _look_at_redis(settings: Settings, registry: Registry) -> Iterator[Finding]:
    from task_manager import open_submitter
    from task_manager.errors import TaskManagerError
    from task_manager.redis.connection import Connection

    place = settings.redis_place
    connection = Connection(settings.redis_url)
    try:
        manager = open_submitter(settings, registry.limits)
        try:
            manager.check()
            others = manager.other_versions(list(registry.types))
        finally:
            manager.close()
        with connection.client() as client:
            info = client.info()
    except (TaskManagerError, SettingError) as error:
        yield Finding("Redis", "broken", f"{error} (--redis-url)")
        return
    finally:
        connection.close()
    version = info.get("valkey_version") or info.get("redis_version") or "of a hidden version"
    yield Finding("Redis", "ok", f"{version} at {place}")
    for load in others:
        tasks = load.waiting + load.running
        if tasks and not load.workers:
            yield Finding(
                load.type,
                "note",
                f"version {load.version} has {tasks} tasks and no worker: they wait until one is "
                "started, or nobody asks for them any more",
            )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield Finding(
            "Redis eviction",
            "broken",
            f"{policy} throws waiting tasks away; set maxmemory-policy noeviction",
        )
    if not info.get("aof_enabled"):
        yield Finding(
            "Redis persistence",
            "note",
            "no append-only file: what waits is lost with the server; set appendonly yes",
        )


def _look_at_storage(settings: Settings) -> Iterator[Finding]:
    from doneyet.task_types.batch.storage.errors import StorageError
    from doneyet.task_types.batch.storage.files import Files
    from doneyet.task_types.batch.storage.places import Places

    try:
        places = Places.parse(settings.storage)
    except ValueError:
        return  # the task types have said it
    files = Files(places, gdrive_credentials=settings.gdrive_credentials)
    for name in filter(None, map(str.strip, settings.storage.split(","))):
        try:
            files.check_writable(f"{name.rstrip('/')}/doneyet-check")
            yield Finding(f"storage {name}", "ok", "can be written")
        except (StorageError, ImportError, ValueError) as error:
            yield Finding(f"storage {name}", "broken", str(error))


def _load(registry: Registry) -> Iterator[Finding]:
    from doneyet.task_types.loading import NotLoadedError, load

    for name, kind in registry.run_by_processes.types.items():
        try:
            load(kind)
            yield Finding(name, "ok", "loaded")
        except NotLoadedError as error:
            yield Finding(name, "broken", str(error))


check = settings_command(
    "check",
    BOTH,
    _check,
    "Tries Redis, task types, models and storage, and says what to do. Exit code 1: one is broken.",
)
