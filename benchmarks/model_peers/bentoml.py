"""MiniLM served by BentoML, with its adaptive batching.

A batchable API takes a list, here of one text a request; BentoML joins the lists. What it expects
to answer later than `max_latency_ms` it refuses, so that is a minute.
"""

from __future__ import annotations

import bentoml
import numpy as np

from benchmarks.model_peers.minilm import DECIMALS, MiniLM
from benchmarks.model_peers.place import DEVICE, MAX_BATCH_SIZE


@bentoml.service(workers=1, traffic={"timeout": 60, "concurrency": MAX_BATCH_SIZE})
class Embedding:
    """One worker; its concurrency is the batch's size, as its documentation recommends."""

    def __init__(self) -> None:
        self.model = MiniLM(DEVICE)

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH_SIZE, max_latency_ms=60_000)
    def embed(self, texts: list[str]) -> np.ndarray:
        """The vectors of all texts of a batch."""
        vectors: np.ndarray = self.model.embed(texts).double().round(decimals=DECIMALS).numpy()
        return vectors
