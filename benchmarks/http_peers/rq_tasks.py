"""The job of Flask and RQ."""

from __future__ import annotations


def noop(number: int) -> int:
    """The number itself."""
    return number
