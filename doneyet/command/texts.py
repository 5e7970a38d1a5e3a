"""Tables, times and sparklines for terminals; what servers tell becomes plain text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

BLOCKS, LETTERS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
"""Bars of a sparkline, from nothing on; letters where an encoding has no blocks."""
_MOST_CHARACTERS = 200


def plain(text: object) -> str:
    """`text` on one line, without characters that would do something to a terminal."""
    shown = str(text)[:_MOST_CHARACTERS]
    return "".join(each if each.isprintable() else " " for each in shown)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines, with columns as wide as what is in them."""
    cells = [list(head), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def write_lines(lines: Iterable[str]) -> None:
    """Writes them to standard output, each as soon as it is there."""
    for line in lines:
        sys.stdout.write(line + "\n")


def duration(seconds: float | None) -> str:
    """`0.25 s`, `3 min`, `2.5 h`; `-` where it is not known."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 3600 else f"{seconds / 3600:.3g} h"


def between(start: str | None, end: str | None) -> float | None:
    """Seconds from one instant of a reply to another; None where one is not known."""
    if start is None or end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def since(start: str | None) -> float | None:
    """Seconds from an instant of a reply until now by this machine's clock, at least 0."""
    seconds = between(start, datetime.now(UTC).isoformat())
    return None if seconds is None else max(0.0, seconds)


def sparkline(counts: Sequence[float], bars: str = BLOCKS) -> str:
    """A bar for each count, the highest for the largest; the lowest for any that is not zero."""
    most = max(counts, default=0)
    if most <= 0:
        return bars[0] * len(counts)
    top = len(bars) - 1
    return "".join(bars[0 if count <= 0 else max(1, round(top * count / most))] for count in counts)
