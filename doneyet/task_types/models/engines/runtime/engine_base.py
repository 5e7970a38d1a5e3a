"""What all engines have: a pretrained model, and what its device makes of batches."""

from __future__ import annotations

from doneyet.task_types.models.engines.runtime.pretrained import Pretrained


class EngineBase:
    """An engine of `pretrained`; `Engine` in `models.model_type` says what it does."""

    def __init__(self, pretrained: Pretrained) -> None:
        self.pretrained = pretrained
        self.max_batch_tokens = pretrained.max_batch_tokens
        self.batch_overhead_tokens = pretrained.batch_overhead_tokens
