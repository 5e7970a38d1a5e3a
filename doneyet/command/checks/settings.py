"""Whether settings go together: what a server or a worker would refuse at its start, and what would
have no effect, or another one than it seems."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from doneyet.command.checks.finding import Finding, broken, note, ok
from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings

if TYPE_CHECKING:
    from doneyet.task_types import Registry
    from http_server.keys.key_file import Key


def look_at_settings(settings: Settings, registry: Registry) -> Iterator[Finding]:
    """What is wrong with them as a whole, then what is odd; nothing where all is well."""
    from http_server.start_checks import start_checks

    if not registry.types:  # which has a row; without types none is at the root
        settings = dataclasses.replace(settings, root_type="")
    said: dict[str, None] = {}  # several look at the proxies
    for look in start_checks(settings, registry):
        try:
            look()
        except SettingError as error:
            said[str(error)] = None
    rows = f"{env_name('keys')}:", env_name("webhook_secrets")  # which have their own
    for text in said:
        if not text.startswith(rows):
            yield broken("settings", text)
    for text in _odd(settings):
        yield note("settings", text)


def _odd(settings: Settings) -> Iterator[str]:
    from http_server.keys.start_check import is_loopback

    fair = settings.queue_mode == "distributed" and settings.pick == "fair"
    for name in ("client_weights", "client_max_waiting"):
        if getattr(settings, name) and not fair:
            yield f"{env_name(name)} has no effect: only the distributed queue mode picks fairly"
    if settings.cors_origins.strip() == "*" and not settings.keys:
        yield (
            f"{env_name('cors_origins')}=* without {env_name('keys')}: every web page that "
            "somebody who reaches the server has open may use it"
        )
    if not is_loopback(settings.host) and not settings.keys and settings.allow_no_keys == "true":
        yield (
            f"everybody who reaches {settings.host}:{settings.port} may use the server; "
            f"{env_name('keys')} has it ask for keys"
        )
    by_address = not settings.keys and (settings.client_rate or fair)
    if settings.root_path and by_address and not settings.trusted_proxies:
        yield (
            f"behind a proxy ({env_name('root_path')}) all clients have its address, and are one; "
            f"name it in {env_name('trusted_proxies')}"
        )


def look_at_keys(settings: Settings) -> Iterator[Finding]:
    """Whose keys there are, and what each is for."""
    from http_server.keys.key_file import read_key_file

    path = Path(settings.keys)
    try:
        keys = read_key_file(path)
        writable = path.stat().st_mode & 0o022
    except (SettingError, OSError) as error:
        yield broken("keys", str(error))
        return
    yield ok("keys", _names(keys))
    if writable:
        yield note(
            "keys", f"others may write {settings.keys!r}, and give themselves a key: chmod go-w"
        )


def _names(keys: Mapping[str, Key]) -> str:
    """Each name with its role, and how many keys it has where these are two."""
    counted = Counter((key.name, key.role.word) for key in keys.values())
    return ", ".join(
        f"{name} ({role}{', 2 keys' if count > 1 else ''})"
        for (name, role), count in sorted(counted.items())
    )


def look_at_webhooks(settings: Settings) -> Finding:
    """How many secrets sign."""
    from http_server.webhooks.signing import secrets_from

    try:
        count = len(secrets_from(settings))
    except SettingError as error:
        return broken("webhooks", str(error))
    return ok("webhooks", "1 secret signs" if count == 1 else f"{count} secrets sign")
