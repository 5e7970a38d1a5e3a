"""Which workers go, where there are to be fewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Worker(NamedTuple):
    """One of them, as far as that matters here."""

    name: str
    is_starting: bool
    """It does not work yet."""
    running: int
    """Tasks that it runs."""
    started_s: float
    """When it was started, of any clock that goes forward."""


def to_stop(workers: Sequence[Worker], surplus: int) -> list[str]:
    """The names of up to `surplus` workers that are to go, the first to go first.

    Those that are starting first, since nothing is lost with them; then those that are idle, the
    youngest first. Those that run something are drained, never killed, and stand last.
    """
    order = sorted(
        workers, key=lambda each: (not each.is_starting, each.running, -each.started_s, each.name)
    )
    return [each.name for each in order[: max(0, surplus)]]
