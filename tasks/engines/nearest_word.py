"""The engine of `fill-mask` without a masked language model: the word nearest to the rest.

A word's likeness is the cosine of its own sentence vector with that of the text around the mask. It
knows what a text is about and nothing of its grammar, so it guesses `paris` for the capital of
France, and may guess a noun where a verb belongs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from tasks.engines.sentence_vectors import SentenceVectors
from tasks.fill_mask import MASK
from tasks.model_type import ModelEntry, Progress

TEMPERATURE = 0.05
"""Cosines of words differ by little; this spreads them over probabilities."""
STEM = 4
"""Words that begin alike by so many letters are taken for forms of one word."""


class _Prepared(NamedTuple):
    item: Any
    sequence: dict[str, list[int]]
    tokens: int


class NearestWord:
    """Compares the text around one mask with the vectors of common words."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._vectors = SentenceVectors(entry)
        self.max_batch_tokens = self._vectors.max_batch_tokens
        self.batch_overhead_tokens = self._vectors.pretrained.batch_overhead_tokens
        vocabulary = self._vectors.pretrained.tokenizer.get_vocab()
        by_number = sorted((number, word) for word, number in vocabulary.items())
        # Word pieces are numbered by how common they are.
        common = [pair for pair in by_number if re.fullmatch("[a-z]{3,}", pair[1])]
        self._numbers, self._words = zip(*common[: options.words], strict=True)
        self._word_vectors = self._vectors.embed_texts(self._words)

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        prepared: list[_Prepared | Exception] = []
        around = [item.text.replace(MASK, " ") for item in inputs]
        for item, tokens in zip(inputs, self._vectors.tokenize(around), strict=True):
            masks, length = item.text.count(MASK), len(tokens["input_ids"])
            if masks != 1:
                prepared.append(ValueError(f"the text needs one {MASK}, and has {masks}"))
            elif length > self._vectors.max_tokens:
                most = self._vectors.max_tokens
                prepared.append(ValueError(f"the text has {length} tokens; {most} are possible"))
            else:
                prepared.append(_Prepared(item, tokens, length))
        return prepared

    def run(self, prepared: Sequence[_Prepared], progress: Progress) -> list[dict[str, Any]]:
        likeness = self._vectors.embed([each.sequence for each in prepared]) @ self._word_vectors.T
        return [
            {"guesses": self._guesses(each.item, row)}
            for each, row in zip(prepared, likeness, strict=True)
        ]

    def _guesses(self, item: Any, likeness: torch.Tensor) -> list[dict[str, Any]]:
        """The best words that the text does not have already: those are always nearest."""
        stems = {word[:STEM] for word in re.findall("[a-z]+", item.text.lower())}
        free = [at for at, word in enumerate(self._words) if word[:STEM] not in stems]
        scores = torch.softmax(likeness[free] / TEMPERATURE, dim=0)
        best = scores.topk(min(item.top_k, len(free)))
        return [
            {
                "score": score,
                "token": self._numbers[free[at]],
                "token_str": self._words[free[at]],
                "sequence": item.text.replace(MASK, self._words[free[at]]),
            }
            for score, at in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
