"""The engine of `embedding`: one vector for a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.outcomes import finite, no_number, nothing_to_read
from doneyet.task_types.models.engines.sentences.sentence_vectors import SentenceVectors
from doneyet.task_types.models.model_type import ModelEntry, Progress

DECIMALS = 7
"""More than float32 holds; fewer digits make shorter answers."""


class _Prepared(NamedTuple):
    sequence: dict[str, list[int]]
    tokens: int
    truncated: bool


class EmbeddingEngine(EngineBase):
    """Vectors as the model's folder says, of length 1."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._vectors = SentenceVectors(entry, options.max_tokens)
        super().__init__(self._vectors.pretrained)

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        prepared: list[_Prepared | Exception] = []
        for tokens in self._vectors.tokenize([item.text for item in inputs]):
            cut = self._vectors.cut(tokens)
            length = len(cut["input_ids"])
            if not length:
                prepared.append(nothing_to_read("text"))
                continue
            prepared.append(_Prepared(cut, length, truncated=length < len(tokens["input_ids"])))
        return prepared

    def run(
        self, prepared: Sequence[_Prepared], progress: Progress
    ) -> list[dict[str, Any] | Exception]:
        vectors = self._vectors.embed([each.sequence for each in prepared]).double()
        rounded = vectors.round(decimals=DECIMALS).tolist()
        return [
            {"vector": vector, "tokens": each.tokens, "truncated": each.truncated}
            if good
            else no_number()
            for vector, each, good in zip(rounded, prepared, finite(vectors), strict=True)
        ]
