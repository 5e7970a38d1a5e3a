"""How long what a worker process holds will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from worker.process.batcher import Batch

KEPT = 0.7
"""How much each observation before still counts."""


class Pace:
    """Learns what a batch takes by its weight, per task type, and adds up those that are held.

    Seconds and weights are added up apart, so that a small batch, which takes long for its weight,
    says little of large ones.
    """

    def __init__(self) -> None:
        self._held: dict[str, float] = defaultdict(float)
        self._weights: dict[str, float] = defaultdict(float)
        self._seconds: dict[str, float] = defaultdict(float)

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
        self._weights[type_name] = KEPT * self._weights[type_name] + weight
        self._seconds[type_name] = KEPT * self._seconds[type_name] + elapsed_s

    def left_s(self) -> float:
        """How long all that is held takes; what was never seen to run counts nothing."""
        return sum(
            weight * self._seconds[name] / self._weights[name]
            for name, weight in self._held.items()
            if name in self._weights
        )
