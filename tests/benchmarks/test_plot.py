"""Lines over time."""

from __future__ import annotations

import re

import pytest

from benchmarks.report.plot import plot


@pytest.mark.parametrize(
    ("most", "ticks"),
    [(100, "0 50 100"), (9, "0 5 10"), (0.35, "0 0.1 0.2 0.3 0.4"), (480, "0 200 400 600")],
)
def test_ticks_are_round(most: float, ticks: str) -> None:
    """And go as far as the highest value."""
    drawn = plot([(0.0, [0.0, 1e-9]), (10.0, [most, 0.0])], ["a", "b"], "s", "MiB")
    assert re.findall(r'text-anchor="end">([\d.]+)</text>', drawn) == ticks.split()
    assert drawn.count("<polyline") == 2
    assert "10 s</text>" in drawn
