"""How long what a worker process holds will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from worker.batcher import Batch

NEWEST_WEIGHT = 0.3


class Pace:
    """Learns what a batch takes by its weight, per task type, and adds up those that are held."""

    def __init__(self) -> None:
        self._held: dict[str, float] = defaultdict(float)
        self._seconds: dict[str, float] = {}

    def take(self, batches: Iterable[Batch]) -> None:
        """`batches` are to be run."""
        for batch in batches:
            self._held[batch.type.name] += batch.weight

    def give_back(self, batches: Iterable[Batch]) -> None:
        """`batches` are not to be run after all."""
        for batch in batches:
            self._held[batch.type.name] -= batch.weight

    def observe(self, type_name: str, weight: float, elapsed_s: float) -> None:
        """Batches of one type, of `weight` in all, ran and took `elapsed_s` seconds."""
        self._held[type_name] -= weight
        newest = elapsed_s / weight
        known = self._seconds.get(type_name, newest)
        self._seconds[type_name] = known + NEWEST_WEIGHT * (newest - known)

    def left_s(self) -> float:
        """How long all that is held takes; what was never seen to run counts nothing."""
        return sum(weight * self._seconds.get(name, 0.0) for name, weight in self._held.items())
