"""`doneyet check`: whether what the settings name is there and usable, and what to do where not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from doneyet.command.checks.finding import Finding, broken, ok
from doneyet.command.checks.redis_server import look_at_redis
from doneyet.command.checks.settings import look_at_keys, look_at_settings, look_at_webhooks
from doneyet.command.checks.storage import look_at_storage
from doneyet.command.setting_options import settings_command
from doneyet.setting_values import SettingError
from doneyet.settings import BOTH, Settings

if TYPE_CHECKING:
    from doneyet.task_types import Registry

BROKEN = 1


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
    from worker.type_selection import served_registry

    yield ok("settings", f"{settings.queue_mode} queue mode")
    registry = served = Registry({})
    try:
        registry = load_registry(settings)
        served = served_registry(settings)
        yield ok("task types", ", ".join(registry.types) or "none")
    except (TaskTypeError, SettingError) as error:
        yield broken("task types", str(error))
    yield from look_at_settings(settings, registry)
    if settings.keys:
        yield from look_at_keys(settings)
    if settings.webhook_secrets:
        yield look_at_webhooks(settings)
    if settings.queue_mode != "synchronous":
        yield from look_at_redis(settings, registry)
    if settings.storage:
        yield from look_at_storage(settings)
    yield from _load(served)


def _load(registry: Registry) -> Iterator[Finding]:
    from doneyet.task_types.loading import NotLoadedError, load

    for name, kind in registry.run_by_processes.types.items():
        try:
            load(kind)
            yield ok(name, "loaded")
        except NotLoadedError as error:
            yield broken(name, str(error))


check = settings_command(
    "check",
    BOTH,
    _check,
    "Tries Redis, task types, models and storage, and says what to do. Exit code 1: one is broken.",
)
