"""What each figure has to be; a benchmark names its budget, the report says whether it holds."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.report.figures import TIMES, Figure, shown


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit; `at_least` says on which side of it a figure has to be."""

    limit: float
    unit: str
    at_least: bool

    def holds(self, value: float) -> bool:
        """Whether `value` keeps to it."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {shown(self.limit, self.unit)}"


def _at_least(limit: float, unit: str) -> Budget:
    return Budget(limit, unit, True)


def _at_most(limit: float, unit: str) -> Budget:
    return Budget(limit, unit, False)


BUDGETS = {
    "drain": _at_least(40_000, "tasks/s"),
    "drain by BullMQ": _at_least(2, TIMES),
    "drain by others": _at_least(15, TIMES),
    "poll by seed": _at_least(3.5, TIMES),
    "poll by constant": _at_least(0.55, TIMES),
    "array": _at_least(40_000, "statuses/s"),
    "key check": _at_most(1.05, TIMES),
    "idle p50": _at_most(5, "ms"),
    "idle p99": _at_most(25, "ms"),
    "end to end": _at_least(4_500, "answers/s"),
    "end to end tail": _at_most(2.5, TIMES),
    "end to end by peers": _at_least(5, TIMES),
    "claim cost": _at_most(1.3, TIMES),
    "ttl cost": _at_most(1.3, TIMES),
    "newcomer": _at_most(0.3, "s"),
    "memory": _at_most(420, "bytes"),
    "batching": _at_least(0.95, TIMES),
    "grouping": _at_least(1.2, TIMES),
    "process killed": _at_most(1, "s"),
    "machine killed": _at_most(1, "leases"),
}


def held(figure: Figure) -> bool | None:
    """Whether `figure` keeps to its budget; None where it has none."""
    return BUDGETS[figure.budget].holds(figure.value) if figure.budget else None
