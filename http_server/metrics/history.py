"""What happened to tasks, minute by minute or hour by hour, of the tallies that Redis keeps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

MINUTE_S, HOUR_S = 60, 3600

Spans = Mapping[int, Mapping[str, int]]
"""What happened in each minute, or hour, by its number since 1970."""

_COUNTED: Mapping[str, Sequence[str]] = {
    "submitted": ("new",),
    "done": ("done",),
    "failed": ("failed", "crashed"),
    "cancelled": ("cancelled",),
    "abandoned": ("abandoned",),
}
"""Of which events each series is the sum."""


def history(of_types: Mapping[str, Spans], span_s: int, count: int) -> tuple[list[int], Any]:
    """When each of the last so many spans began, Unix seconds, and the series of each type.

    The current span is the last one. It is this process' or, where that is behind, the last in
    which something happened by Redis' clock.
    """
    known = [span for spans in of_types.values() for span in spans]
    last = max([int(time.time() // span_s), *known])
    told = range(last - count + 1, last + 1)
    series = {name: _series(spans, told) for name, spans in of_types.items()}
    return [span_s * span for span in told], series


def _series(spans: Spans, told: Sequence[int]) -> dict[str, list[Any]]:
    events = [spans.get(span, {}) for span in told]
    counted: dict[str, list[Any]] = {
        name: [sum(each.get(event, 0) for event in parts) for each in events]
        for name, parts in _COUNTED.items()
    }
    means = {f"{name}_s": [_mean_s(each, name) for each in events] for name in ("wait", "run")}
    return counted | means


def _mean_s(events: Mapping[str, int], name: str) -> float | None:
    """The mean of a histogram in one span; None where nothing is in it."""
    total = f"{name}_ms"
    in_buckets = (
        times for event, times in events.items() if event.startswith(f"{name}_") and event != total
    )
    count = sum(in_buckets)
    return round(events.get(total, 0) / 1000 / count, 6) if count else None
