"""The engine of `summarization` without training: the sentences nearest to all others.

A sentence's centrality is the cosine of its vector with the mean of all (the centroid method of
Radev et al. 2004, with sentence vectors in the place of word counts). Sentences are taken from the
most central down, without those that say again what was taken, and shown in the order of the text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from tasks.engines.sentence_vectors import SentenceVectors
from tasks.engines.sentences import split_sentences
from tasks.model_type import ModelEntry, Progress

SAME = 0.85
"""Sentences whose vectors are alike by so much say the same."""

SHARE = 1 / 3
"""At most so many of a text's sentences make its summary; below that are asides."""

AT_ONCE = 256
"""Sentences whose vectors are computed between two reports of progress."""


class _Prepared(NamedTuple):
    item: Any
    sentences: list[str]
    sequences: list[dict[str, list[int]]]
    lengths: list[int]
    tokens: int


class CentralSentences:
    """Chooses sentences of the text itself."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._vectors = SentenceVectors(entry)
        self.max_batch_tokens = self._vectors.max_batch_tokens
        self.batch_overhead_tokens = self._vectors.pretrained.batch_overhead_tokens
        self._most_tokens = options.max_length

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        prepared: list[_Prepared | Exception] = []
        for item in inputs:
            sentences = [sentence.text for sentence in split_sentences(item.context)]
            if not sentences:
                prepared.append(ValueError("the text has no sentences"))
                continue
            sequences = self._vectors.tokenize(sentences)
            lengths = [len(sequence["input_ids"]) - 2 for sequence in sequences]
            cut = [self._vectors.cut(sequence) for sequence in sequences]
            prepared.append(_Prepared(item, sentences, cut, lengths, sum(lengths)))
        return prepared

    def run(self, prepared: Sequence[_Prepared], progress: Progress) -> list[dict[str, Any]]:
        return [self._summary(at, each, progress) for at, each in enumerate(prepared)]

    def _summary(self, index: int, prepared: _Prepared, progress: Progress) -> dict[str, Any]:
        count = len(prepared.sentences)
        parts = []
        for start in range(0, count, AT_ONCE):
            if count > AT_ONCE:
                progress(index, start / count, f"sentence {start} of {count}")
            parts.append(self._vectors.embed_sequences(prepared.sequences[start : start + AT_ONCE]))
        most = prepared.item.max_length or self._most_tokens
        chosen = choose(torch.cat(parts), prepared.lengths, most)
        return {
            "summary": " ".join(prepared.sentences[at] for at in chosen),
            "pieces": 1,
            "truncated": False,
        }


def choose(vectors: torch.Tensor, lengths: Sequence[int], most_tokens: int) -> list[int]:
    """Which sentences to keep, in their order: at least one, else `most_tokens` in all.

    Args:
        vectors: (sentences, size) float32, each of length 1.
        lengths: how many tokens each sentence has.
        most_tokens: how many those that are kept may have together.
    """
    centre = torch.nn.functional.normalize(vectors.mean(dim=0), dim=0)
    most = max(1, math.ceil(len(vectors) * SHARE))
    chosen: list[int] = []
    left = most_tokens
    for place in (vectors @ centre).argsort(descending=True).tolist():
        said = bool(chosen) and float((vectors[chosen] @ vectors[place]).max()) > SAME
        if len(chosen) < most and not said and (lengths[place] <= left or not chosen):
            chosen.append(place)
            left -= lengths[place]
    return sorted(chosen)
