"""The key file: a line for each key, with its hash in the place of the key.

    # name  role  sha256 (64 digits)  and, if need be, weight=, priority=, rate=
    search  ask   3fdfc0e5...9f7cf4   weight=4

A name may have two keys, so that one can be replaced while it is in use. They are the same client
and must say the same.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import KEY_START
from http_server.keys.roles import ROLES, Role
from task_manager.values import MOST_WEIGHT, PRIORITIES

MOST_KEYS_OF_A_NAME = 2
FORM = "name role sha256 [weight=N] [priority=N] [rate=N]"

_RANDOM_BYTES = 32
_NAME = re.compile(r"[a-zA-Z0-9._-]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WHOLE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,4})?")


@dataclass(frozen=True, slots=True)
class Key:
    """One line of a key file."""

    name: str
    """The client that it belongs to."""
    role: Role
    sha256: str
    weight: int = 1
    """How many turns the client has to one of a client of weight 1."""
    priority: int = PRIORITIES[0]
    """The most urgent `Priority` that its requests get."""
    rate: float = 0.0
    """Requests per second on average; 0: what `DONEYET_CLIENT_RATE` says."""

    def to_line(self) -> str:
        """The line that says this."""
        words = [self.name, self.role.word, self.sha256]
        usual = Key("", Role.ASK, "")
        for option in ("weight", "priority", "rate"):
            value = getattr(self, option)
            if value != getattr(usual, option):
                words.append(f"{option}={str(value).removesuffix('.0')}")
        return " ".join(words)


class KeyLineError(ValueError):
    """Raised when a line, or a part of one, does not say what a key is; tells why."""


def new_secret() -> str:
    """A key that nobody has yet: 32 random bytes."""
    return KEY_START + secrets.token_urlsafe(_RANDOM_BYTES)


def sha256_of(secret: str) -> str:
    """What is kept of a key, in hexadecimal digits. Whatever text a client may have sent."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def read_key_file(path: Path) -> Mapping[str, Key]:
    """The keys in `path`, by hash.

    Raises:
        SettingError: it cannot be read, has no key, or a line that is none; names file and line.
    """
    shown = f"{env_name('keys')}: {str(path)!r}"
    try:
        keys = parse_keys(read_text(path))
    except KeyLineError as error:
        raise SettingError(f"{shown}, {error}") from error
    if not keys:
        raise SettingError(f"{shown} has no key; make one: doneyet key new NAME --file {path}")
    return keys


def read_text(path: Path) -> str:
    """What stands in a key file.

    Raises:
        SettingError: it cannot be read.
    """
    try:
        if stat.S_ISFIFO(path.stat().st_mode):  # and what is read again would wait for more
            raise SettingError(
                f"{env_name('keys')}: {str(path)!r} is a pipe, which can be read once; name a file"
            )
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        why = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        why = "is no text in UTF-8"
    raise SettingError(f"{env_name('keys')}: {str(path)!r} {why}")


def parse_keys(text: str) -> dict[str, Key]:
    """The keys of a file's text, by hash.

    Raises:
        KeyLineError: a line is no key, or contradicts one before it; says which line.
    """
    keys: dict[str, Key] = {}
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            key = parse_line(words)
            _check_beside(key, keys)
        except KeyLineError as error:
            raise KeyLineError(f"line {number}: {error}") from None
        keys[key.sha256] = key
    return keys


def parse_line(words: list[str]) -> Key:
    """The key that the words of one line tell.

    Raises:
        KeyLineError: they tell none. The message shows no word that may be a key.
    """
    if len(words) < 3:
        raise KeyLineError(f"a key is {FORM}")
    name, role, sha256, *options = words
    check_name(name)
    if role not in ROLES:
        raise KeyLineError(f"the role must be one of {', '.join(ROLES)}")
    if _SHA256.fullmatch(sha256) is None:
        raise KeyLineError(
            "after the role comes the key's SHA-256 in 64 hexadecimal digits in small letters, "
            "not the key itself"
        )
    said: dict[str, str] = {}
    for option in options:
        what, equals, value = option.partition("=")
        if what not in ("weight", "priority", "rate") or not equals or what in said:
            raise KeyLineError("after the hash come weight=N, priority=N and rate=N, each once")
        said[what] = value
    return Key(
        name,
        ROLES[role],
        sha256,
        _whole(said, "weight", 1, MOST_WEIGHT, 1),
        _whole(said, "priority", PRIORITIES[0], PRIORITIES[-1], PRIORITIES[0]),
        _rate(said),
    )


def check_name(name: str) -> None:
    """Does nothing with the name of a client.

    Raises:
        KeyLineError: it is none.
    """
    if name.startswith(KEY_START):  # rather not shown
        raise KeyLineError(f"a name cannot begin with {KEY_START}, as keys do")
    if _NAME.fullmatch(name) is None:
        raise KeyLineError("a name has 1 to 64 letters, digits, dots, hyphens and underscores")


def _check_beside(key: Key, keys: Mapping[str, Key]) -> None:
    if key.sha256 in keys:
        raise KeyLineError("the same key stands in an earlier line")
    others = [other for other in keys.values() if other.name == key.name]
    if len(others) >= MOST_KEYS_OF_A_NAME:
        raise KeyLineError(
            f"{key.name} has {MOST_KEYS_OF_A_NAME} keys already; remove one that nobody uses"
        )
    for other in others:
        if key.to_line().replace(key.sha256, "") != other.to_line().replace(other.sha256, ""):
            raise KeyLineError(
                f"both keys of {key.name} must have the same role, weight, priority and rate"
            )


def _whole(said: Mapping[str, str], what: str, least: int, most: int, usual: int) -> int:
    text = said.get(what, str(usual))
    if _WHOLE.fullmatch(text) is None or not least <= int(text) <= most:
        raise KeyLineError(f"{what} must be a whole number from {least} to {most}")
    return int(text)


def _rate(said: Mapping[str, str]) -> float:
    if "rate" not in said:
        return 0.0
    text = said["rate"]
    if _NUMBER.fullmatch(text) is None or float(text) == 0:
        raise KeyLineError("rate must be a number of requests per second above 0")
    return float(text)
