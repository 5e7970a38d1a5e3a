"""The `Prefer` and `Cache-Control` request headers, parsed as the lists that they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

# RFC 7240: token ["=" word] *(";" parameter), comma separated; a word may be quoted.
_ITEM = re.compile(r"""\s*(?:"(?:[^"\\]|\\.)*"|[^,"])*""")
_MOST_DIGITS = 9  # more seconds than anybody means, and cheap to convert
_MOST_CHARACTERS = 1000  # a longer header is noise, and not worth scanning


def wait_s(prefer: str | None, cap_s: float) -> float | None:
    """How long the client prefers to wait, at most `cap_s`; None where it says nothing usable.

    The first `wait` counts and unknown preferences are skipped, both as RFC 7240 has it.
    """
    if not prefer:
        return None
    for item in _items(prefer):
        name, _, value = item.split(";", 1)[0].partition("=")
        if name.strip().lower() == "wait":
            digits = value.strip().strip('"')
            if not (digits.isascii() and digits.isdigit()):
                return None
            return min(float(digits[:_MOST_DIGITS]), cap_s)
    return None


def no_cache(cache_control: str | None) -> bool:
    """Whether `Cache-Control` says `no-cache`."""
    if not cache_control:
        return False
    return any(item.strip().lower() == "no-cache" for item in _items(cache_control))


def _items(header: str) -> Iterator[str]:
    for match in _ITEM.finditer(header[:_MOST_CHARACTERS]):
        if item := match[0].strip():
            yield item
