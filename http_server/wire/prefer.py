"""The `Prefer` and `Cache-Control` request headers, parsed as the lists that they are."""

from __future__ import annotations

from functools import lru_cache

from werkzeug.http import parse_list_header

_MOST_DIGITS = 9  # more seconds than anybody means, and cheap to convert
_MOST_CHARACTERS = 1000  # a longer header is noise, and not worth scanning


@lru_cache(maxsize=256)
def wait_s(prefer: str | None, cap_s: float) -> float | None:
    """How long the client prefers to wait, at most `cap_s`; None where it says nothing usable.

    The first `wait` counts and unknown preferences are skipped, both as RFC 7240 has it; werkzeug,
    which knows no `Prefer`, would take the last one.
    """
    return _seconds("wait", prefer, cap_s)


@lru_cache(maxsize=256)
def keep_s(prefer: str | None, cap_s: float) -> float | None:
    """How long the client prefers its tasks to be kept without polls, as `wait_s`."""
    return _seconds("keep", prefer, cap_s)


def _seconds(preference: str, prefer: str | None, cap_s: float) -> float | None:
    for item in _items(prefer):
        name, _, value = item.split(";", 1)[0].partition("=")
        if name.strip().lower() == preference:
            digits = value.strip().strip('"')
            if not (digits.isascii() and digits.isdigit()):
                return None
            return min(float(digits[:_MOST_DIGITS]), cap_s)
    return None


@lru_cache(maxsize=256)
def no_cache(cache_control: str | None) -> bool:
    """Whether `Cache-Control` says `no-cache`."""
    return any(item.strip().lower() == "no-cache" for item in _items(cache_control))


def _items(header: str | None) -> list[str]:
    return parse_list_header(header[:_MOST_CHARACTERS]) if header else []
