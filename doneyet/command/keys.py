"""`doneyet key new`: makes an API key, shows it once, and keeps its hash alone."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from doneyet.command.running import NAMES, UsageFault
from doneyet.setting_values import SettingError, env_name

if TYPE_CHECKING:
    from http_server.keys.key_file import Key

ROLE_WORDS = ("ask", "read", "operate")
"""As in `http_server.keys.roles`, whose import takes longer than `--help` should."""


@click.command("new", context_settings=dict(NAMES))
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLE_WORDS),
    help="what the key permits: ask (submit and poll), read (also load and metrics), operate "
    "(also cancel anybody's tasks); default: ask, or that of NAME's key in FILE",
)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="a key file, which gets the line; it is made if need be (default: the line is printed)",
)
def _new(name: str, role: str | None, path: Path | None) -> int:
    """Makes a key for the client NAME and prints it, this once: nothing keeps it.

    Where NAME has a key in FILE, the new one is valid beside it and permits the same.
    """
    from http_server.keys.key_file import Key, KeyLineError, check_name, new_secret, sha256_of
    from http_server.keys.roles import ROLES

    try:
        check_name(name)
        secret = new_secret()
        key = Key(name, ROLES[role or ROLE_WORDS[0]], sha256_of(secret))
        if path is None:
            done = f"Add this line to the file that {env_name('keys')} names:\n{key.to_line()}\n"
        else:
            done = _append(path, key, role)
    except (KeyLineError, SettingError) as error:
        raise UsageFault(str(error)) from error
    except OSError as error:
        raise UsageFault(f"{path} cannot be written: {error.strerror or error}") from error
    sys.stdout.write(secret + "\n")
    sys.stdout.flush()
    sys.stderr.write(f"This is the only time that the key is shown. {done}")
    return 0


def _append(path: Path, key: Key, role: str | None) -> str:
    """Adds the line of `key` to `path`; what was done.

    Raises:
        SettingError: the file cannot be read, or has a line that is no key.
        KeyLineError: the key does not go with those that the file has.
        OSError: it cannot be written.
    """
    from http_server.keys.key_file import parse_keys, read_text

    text = read_text(path) if path.exists() else ""
    others = [other for other in parse_keys(text).values() if other.name == key.name]
    if others and role is None:
        key = dataclasses.replace(others[0], sha256=key.sha256)
    line = ("" if text.endswith("\n") or not text else "\n") + key.to_line() + "\n"
    parse_keys(text + line)
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(line)
    return f"{path} {'was made, and ' if is_new else ''}has its line.\n"


key = click.Group(
    "key",
    commands=[_new],
    help="API keys of a server.",
    context_settings=dict(NAMES),
    no_args_is_help=True,
)
