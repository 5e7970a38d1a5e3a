"""What happened to tasks, minute by minute, of the tallies that Redis keeps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from task_manager.tally import Tally

_COUNTED: Mapping[str, Sequence[str]] = {
    "submitted": ("new",),
    "done": ("done",),
    "failed": ("failed", "crashed"),
    "cancelled": ("cancelled",),
    "abandoned": ("abandoned",),
}
"""Of which events each series is the sum."""


def history(tallies: Sequence[Tally], minutes: int) -> dict[str, Any]:
    """The last so many minutes, the current one included, as `GET /history` tells them.

    The current minute is this process' or, where that is behind, the last in which something
    happened by Redis' clock.
    """
    known = [minute for tally in tallies for minute in tally.minutes]
    last = max(int(time.time() // 60), *known) if known else int(time.time() // 60)
    told = range(last - minutes + 1, last + 1)
    return {
        "minutes": [60 * minute for minute in told],
        "types": {tally.type: _series(tally, told) for tally in tallies},
    }


def _series(tally: Tally, minutes: Sequence[int]) -> dict[str, list[Any]]:
    events = [tally.minutes.get(minute, {}) for minute in minutes]
    counted: dict[str, list[Any]] = {
        name: [sum(each.get(event, 0) for event in parts) for each in events]
        for name, parts in _COUNTED.items()
    }
    means = {f"{name}_s": [_mean_s(each, name) for each in events] for name in ("wait", "run")}
    return counted | means


def _mean_s(events: Mapping[str, int], name: str) -> float | None:
    """The mean of a histogram in one minute; None where nothing is in it."""
    total = f"{name}_ms"
    in_buckets = (
        times for event, times in events.items() if event.startswith(f"{name}_") and event != total
    )
    count = sum(in_buckets)
    return round(events.get(total, 0) / 1000 / count, 6) if count else None
