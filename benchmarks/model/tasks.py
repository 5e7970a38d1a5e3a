"""The models table's model once more, batched in the order of arrival: what grouping is held to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from doneyet.settings import Settings
from doneyet.task_types.models import models_table
from doneyet.task_types.models.embedding import Embedding


class InArrivalOrder(Embedding):
    """The same vectors; a batch is full when it has `max_batch_size` texts, however long."""

    def load(self) -> None:
        """The model, without what would group its texts."""
        super().load()
        self.max_batch_cost = None
        self.batch_overhead = float("inf")

    def cost(self, item: Any) -> float:
        """The same for all, so that the order stays."""
        return 1.0


def task_types(settings: Settings) -> Iterable[Embedding]:
    """`embedding/arrival` beside the table's only model."""
    for model in models_table.task_types(settings):
        if isinstance(model, Embedding):
            yield InArrivalOrder("arrival", model.entry)
