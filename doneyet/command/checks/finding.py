"""One row of `doneyet check`."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """What was tried, `ok`, `note` or `broken`, and what was found or is to be done."""

    what: str
    state: str
    text: str


def ok(what: str, text: str) -> Finding:
    """As it should be."""
    return Finding(what, "ok", text)


def note(what: str, text: str) -> Finding:
    """It works, and may not be what somebody wants."""
    return Finding(what, "note", text)


def broken(what: str, text: str) -> Finding:
    """It does not work, or will lose something."""
    return Finding(what, "broken", text)
