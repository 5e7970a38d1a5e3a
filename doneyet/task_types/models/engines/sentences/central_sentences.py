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

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.outcomes import finite, no_number, nothing_to_read
from doneyet.task_types.models.engines.sentences.sentence_vectors import SentenceVectors
from doneyet.task_types.models.engines.sentences.sentences import split_sentences
from doneyet.task_types.models.model_type import ModelEntry, Progress

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


class CentralSentences(EngineBase):
    """Chooses sentences of the text itself."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._vectors = SentenceVectors(entry)
        super().__init__(self._vectors.pretrained)
        self._most_tokens = options.max_length
        self._around = self._vectors.max_tokens - self._vectors.room_after(
            self._vectors.folder.default_prompt
        )

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        prepared: list[_Prepared | Exception] = []
        for item in inputs:
            whole = [sentence.text for sentence in split_sentences(item.context)]
            told = self._vectors.tokenize(whole) if whole else []
            lengths = [len(tokens["input_ids"]) - self._around for tokens in told]
            read = [at for at, length in enumerate(lengths) if length > 0]
            if not read:
                prepared.append(nothing_to_read("text"))
                continue
            sequences = [self._vectors.cut(told[at]) for at in read]
            lengths = [lengths[at] for at in read]
            sentences = [whole[at] for at in read]
            prepared.append(_Prepared(item, sentences, sequences, lengths, sum(lengths)))
        return prepared

    def run(
        self, prepared: Sequence[_Prepared], progress: Progress
    ) -> list[dict[str, Any] | Exception]:
        return [self._summary(at, each, progress) for at, each in enumerate(prepared)]

    def _summary(
        self, index: int, prepared: _Prepared, progress: Progress
    ) -> dict[str, Any] | Exception:
        count = len(prepared.sentences)
        parts = []
        for start in range(0, count, AT_ONCE):
            if count > AT_ONCE:
                progress(index, start / count, f"sentence {start} of {count}")
            parts.append(self._vectors.embed_sequences(prepared.sequences[start : start + AT_ONCE]))
        vectors = torch.cat(parts)
        if not all(finite(vectors)):
            return no_number()
        most = prepared.item.max_length or self._most_tokens
        chosen = choose(vectors, prepared.lengths, most)
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
