"""The engine of `text-classification` without training: the label whose description is nearest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.outcomes import finite, no_number, nothing_to_read
from doneyet.task_types.models.engines.sentences.sentence_vectors import SentenceVectors
from doneyet.task_types.models.engines.text_classification import Classified, classified, ranked
from doneyet.task_types.models.model_type import ModelEntry, Progress


class NearestLabel(EngineBase):
    """Compares a text's vector with those of the labels' descriptions, the nearest of each label.

    Cosines with different descriptions differ by little; a softmax at a low temperature spreads
    them over probabilities.
    """

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._vectors = SentenceVectors(entry)
        super().__init__(self._vectors.pretrained)
        self._labels = list(options.labels)
        self._temperature = options.temperature
        self._descriptions = [self._described(*label) for label in options.labels.items()]

    def _described(self, label: str, texts: Sequence[str]) -> torch.Tensor:
        """The vectors of a label's descriptions."""
        sequences = self._vectors.tokenize(texts)
        if any(len(sequence["input_ids"]) > self._vectors.max_tokens for sequence in sequences):
            most = self._vectors.max_tokens
            raise ValueError(f"options.labels.{label}: a text has more than {most} tokens")
        if not all(sequence["input_ids"] for sequence in sequences):
            raise ValueError(f"options.labels.{label}: {nothing_to_read('text')}")
        vectors = self._vectors.embed_sequences(sequences)
        if not all(finite(vectors)):
            raise ValueError(f"options.labels.{label}: {no_number()}")
        return vectors

    def prepare(self, inputs: Sequence[Any]) -> list[Classified | Exception]:
        most, tail = self._vectors.max_tokens, self.pretrained.tail
        return [
            classified(sequence, most, tail)
            for sequence in self._vectors.tokenize([item.input_text for item in inputs])
        ]

    def run(
        self, prepared: Sequence[Classified], progress: Progress
    ) -> list[dict[str, Any] | Exception]:
        vectors = self._vectors.embed([each.sequence for each in prepared])
        nearest = torch.stack(
            [(vectors @ texts.T).max(dim=1).values for texts in self._descriptions], dim=1
        )
        scores = torch.softmax(nearest / self._temperature, dim=1).tolist()
        return [
            ranked(self._labels, row, truncated=each.truncated) if good else no_number()
            for each, row, good in zip(prepared, scores, finite(vectors), strict=True)
        ]
