"""The engine of `embedding`: one vector for a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tasks.engines.sentence_vectors import SentenceVectors
from tasks.model_type import ModelEntry, Progress

DECIMALS = 7
"""More than float32 holds; fewer digits make shorter answers."""


class _Prepared(NamedTuple):
    sequence: dict[str, list[int]]
    tokens: int
    truncated: bool


class EmbeddingEngine:
    """Mean-pooled, normalized vectors."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._vectors = SentenceVectors(entry, options.max_tokens)
        self.max_batch_tokens = self._vectors.max_batch_tokens
        self.batch_overhead_tokens = self._vectors.pretrained.batch_overhead_tokens

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared]:
        prepared = []
        for tokens in self._vectors.tokenize([item.text for item in inputs]):
            cut = self._vectors.cut(tokens)
            length = len(cut["input_ids"])
            prepared.append(_Prepared(cut, length, truncated=length < len(tokens["input_ids"])))
        return prepared

    def run(self, prepared: Sequence[_Prepared], progress: Progress) -> list[dict[str, Any]]:
        vectors = self._vectors.embed([each.sequence for each in prepared]).double()
        rounded = vectors.round(decimals=DECIMALS).tolist()
        return [
            {"vector": vector, "tokens": each.tokens, "truncated": each.truncated}
            for vector, each in zip(rounded, prepared, strict=True)
        ]
