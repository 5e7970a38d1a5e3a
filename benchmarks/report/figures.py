"""One measured figure, and what is made of several runs of the same."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

TIMES = "×"  # noqa: RUF001
"""The unit of ratios."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured: `runs` holds one value per repetition, in the order of time."""

    name: str
    runs: Sequence[float]
    unit: str
    budget: str = ""
    """A name of `budgets.BUDGETS` that this figure has to keep to; empty: none."""
    note: str = ""

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)


@dataclass(frozen=True, slots=True)
class Missing:
    """What should have been measured and was not; `why` is shown in its place."""

    name: str
    why: str
    budget: str = ""


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours by theirs, run by run: neighbours in time had the same machine."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that at least `percent` % of them do not exceed."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(0, int(rank) - 1)]


def shown(value: float, unit: str = "") -> str:
    """`value` as people read it: three significant digits, thousands separated."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text}{unit}" if unit == TIMES else f"{text} {unit}".strip()
