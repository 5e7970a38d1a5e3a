"""One setting: its names, what a text for it means, and which values it may have."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Mapping
from typing import Any

from doneyet.process_range import parse_range

LONGEST_S = 1e9
"""About thirty years. Beyond some hundred years Python and Redis can neither wait nor expire."""

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class SettingError(ValueError):
    """Raised when a setting has a value it cannot have; names the setting and the value."""


def env_name(name: str) -> str:
    """`lease_s` → `DONEYET_LEASE_S`."""
    return "DONEYET_" + name.upper()


def flag_name(name: str) -> str:
    """`lease_s` → `--lease-s`."""
    return "--" + name.replace("_", "-")


def nearest(name: str, rows: Mapping[str, Any]) -> str:
    """What to do about an unknown variable."""
    known = [row.removeprefix("DONEYET_") for row in rows]
    if near := difflib.get_close_matches(name.removeprefix("DONEYET_"), known, n=1):
        return f"did you mean DONEYET_{near[0]}?"
    return "see --help for their names"


def parse(row: dataclasses.Field[Any], text: str, shown_name: str) -> Any:
    """The value that `text` means: digits 0 to 9 only, so that nothing is guessed.

    Raises:
        SettingError: it means none; names what is called `shown_name`.
    """
    text = text.strip()
    if not text or row.type == "str":
        return text or row.default
    if row.type == "Range":
        try:
            return parse_range(text)
        except ValueError as error:
            raise SettingError(f"{shown_name} {error}") from error
    kind, form = (int, _WHOLE_NUMBER) if row.type == "int" else (float, _NUMBER)
    try:
        if form.fullmatch(text):
            return kind(text)
    except ValueError:  # thousands of digits
        pass
    wanted = "a whole number" if kind is int else "a number"
    unit = f" of {row.metadata['unit']}" if row.metadata["unit"] else ""
    raise SettingError(f"{shown_name} must be {wanted}{unit}, not {text[:100]!r}")


def check(row: dataclasses.Field[Any], value: Any) -> None:
    """Looks whether a setting may have this value.

    Raises:
        SettingError: it may not.
    """
    minimum, choices = row.metadata["minimum"], row.metadata["choices"]
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingError(f"{env_name(row.name)} must be a finite number, not {value!r}")
    if minimum is not None and value < minimum:
        raise SettingError(f"{env_name(row.name)} must be at least {minimum}, not {value!r}")
    if row.metadata["unit"] == "s" and value > LONGEST_S:
        raise SettingError(f"{env_name(row.name)} must be at most {LONGEST_S:.0f} s, not {value!r}")
    if choices and value not in choices:
        raise SettingError(
            f"{env_name(row.name)} must be one of {', '.join(choices)}, not {value!r}"
        )
