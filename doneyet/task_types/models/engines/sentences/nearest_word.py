"""The engine of `fill-mask` without a masked language model: the word nearest to the rest.

A word's likeness is the cosine of its own sentence vector with that of the text around the mask. It
knows what a text is about and nothing of its grammar, so it guesses `paris` for the capital of
France, and may guess a noun where a verb belongs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.outcomes import finite, no_number, nothing_to_read
from doneyet.task_types.models.engines.sentences.sentence_vectors import SentenceVectors
from doneyet.task_types.models.fill_mask import MASK
from doneyet.task_types.models.model_type import ModelEntry, Progress

TEMPERATURE = 0.05
"""Cosines of words differ by little; this spreads them over probabilities."""
_WORD_BEGINS = ("\u0120", "\u2581")
STEM = 4
"""Words that begin alike by so many letters are taken for forms of one word."""


class _Prepared(NamedTuple):
    item: Any
    sequence: dict[str, list[int]]
    tokens: int


class NearestWord(EngineBase):
    """Compares the text around one mask with the vectors of common words."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._vectors = SentenceVectors(entry)
        super().__init__(self._vectors.pretrained)
        common = common_words(self.pretrained.tokenizer.get_vocab())[: options.words]
        vectors = self._vectors.embed_texts([word for _, word in common]) if common else None
        if vectors is None or not any(good := finite(vectors)):
            raise ValueError(
                f"the vocabulary of {entry.model!r} has no words that could be guessed"
            )
        self._common = [word for word, there in zip(common, good, strict=True) if there]
        self._word_vectors = vectors[good]

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        prepared: list[_Prepared | Exception] = []
        around = [item.text.replace(MASK, " ") for item in inputs]
        for item, tokens in zip(inputs, self._vectors.tokenize(around), strict=True):
            masks, length = item.text.count(MASK), len(tokens["input_ids"])
            if masks != 1:
                prepared.append(ValueError(f"the text needs one {MASK}, and has {masks}"))
            elif not length:
                prepared.append(nothing_to_read("text"))
            elif length > self._vectors.max_tokens:
                most = self._vectors.max_tokens
                prepared.append(ValueError(f"the text has {length} tokens; {most} are possible"))
            else:
                prepared.append(_Prepared(item, tokens, length))
        return prepared

    def run(
        self, prepared: Sequence[_Prepared], progress: Progress
    ) -> list[dict[str, Any] | Exception]:
        likeness = self._vectors.embed([each.sequence for each in prepared]) @ self._word_vectors.T
        return [
            {"guesses": self._guesses(each.item, row)} if good else no_number()
            for each, row, good in zip(prepared, likeness, finite(likeness), strict=True)
        ]

    def _guesses(self, item: Any, likeness: torch.Tensor) -> list[dict[str, Any]]:
        """The best words that the text does not have already: those are always nearest."""
        stems = {word[:STEM] for word in re.findall("[a-z]+", item.text.lower())}
        free = [at for at, (_, word) in enumerate(self._common) if word[:STEM] not in stems]
        scores = torch.softmax(likeness[free] / TEMPERATURE, dim=0)
        best = scores.topk(min(item.top_k, len(free)))
        return [
            {
                "score": score,
                "token": number,
                "token_str": word,
                "sequence": item.text.replace(MASK, word),
            }
            for score, at in zip(best.values.tolist(), best.indices.tolist(), strict=True)
            for number, word in [self._common[free[at]]]
        ]


def common_words(vocabulary: Mapping[str, int]) -> list[tuple[int, str]]:
    """Whole words of small letters with their numbers, the most common first.

    Vocabularies are numbered by that. Some mark the pieces that begin a word (`\u0120`, `\u2581`),
    others those that do not (`##`).
    """
    marked = Counter(piece[0] for piece in vocabulary if piece.startswith(_WORD_BEGINS))
    begins = max(marked, key=marked.__getitem__, default="")
    if marked[begins] * 10 < len(vocabulary):  # a few are signs as any others
        begins = ""
    found = re.compile(f"{begins}([a-z]{{3,}})")
    words = [(number, found.fullmatch(piece)) for piece, number in vocabulary.items()]
    return sorted((number, match[1]) for number, match in words if match)
