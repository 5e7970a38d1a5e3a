"""The engine of `question-answering` without training: the passage nearest to the question."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from tasks.engines.sentence_vectors import SentenceVectors
from tasks.engines.sentences import Sentence, split_sentences
from tasks.model_type import ModelEntry, Progress

WORDS_WEIGHT = 0.4
"""How much shared words count beside likeness: to a vector `It was built in 1874` says little of a
lighthouse, but it has the word that the question asks for."""

STEM = 5
"""Words that begin alike by so many letters are taken for forms of one word."""


class _Prepared(NamedTuple):
    question: str
    context: str
    sentences: list[Sentence]
    sequences: list[dict[str, list[int]]]
    """The question's, then one for each sentence."""
    tokens: int


class Passages:
    """Finds the sentences most like the question; the answer is that part of the context."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._vectors = SentenceVectors(entry)
        self.max_batch_tokens = self._vectors.max_batch_tokens
        self.batch_overhead_tokens = self._vectors.pretrained.batch_overhead_tokens
        self._sentences = options.sentences

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        return [self._prepared(item) for item in inputs]

    def _prepared(self, item: Any) -> _Prepared | Exception:
        sentences = split_sentences(item.context or "")
        if not sentences:
            return ValueError("this model finds answers in a context: send one")
        texts = [item.question, *(sentence.text for sentence in sentences)]
        sequences = [self._vectors.cut(sequence) for sequence in self._vectors.tokenize(texts)]
        tokens = sum(len(sequence["input_ids"]) for sequence in sequences)
        return _Prepared(item.question, item.context, sentences, sequences, tokens)

    def run(self, prepared: Sequence[_Prepared], progress: Progress) -> list[dict[str, Any]]:
        together = [sequence for each in prepared for sequence in each.sequences]
        vectors = self._vectors.embed_sequences(together)
        parts = vectors.split([len(each.sequences) for each in prepared])
        return [self._answer(each, part) for each, part in zip(prepared, parts, strict=True)]

    def _answer(self, prepared: _Prepared, vectors: torch.Tensor) -> dict[str, Any]:
        likeness = vectors[1:] @ vectors[0]
        shared = shared_words(prepared.question, [each.text for each in prepared.sentences])
        first = int((likeness + WORDS_WEIGHT * torch.tensor(shared)).argmax())
        size = min(self._sentences, len(prepared.sentences))
        first = max(0, min(first - (size - 1) // 2, len(prepared.sentences) - size))
        start, end = prepared.sentences[first].start, prepared.sentences[first + size - 1].end
        return {
            "answer": prepared.context[start:end],
            "score": float(likeness[first : first + size].max()),
            "start": start,
            "end": end,
            "truncated": False,
        }


def shared_words(question: str, sentences: Sequence[str]) -> list[float]:
    """How much of the question's words each sentence has, from 0 to 1.

    A word counts by its inverse document frequency (Sparck Jones 1972), the sentences being the
    documents: a word that is in every sentence tells nothing.
    """
    found = [_stems(sentence) for sentence in sentences]
    weights = {
        stem: math.log((1 + len(found)) / (1 + sum(stem in each for each in found)))
        for stem in _stems(question)
        if any(stem in each for each in found)
    }
    total = sum(weights.values())
    if total == 0:
        return [0.0] * len(found)
    return [sum(weights[stem] for stem in each & weights.keys()) / total for each in found]


def _stems(text: str) -> set[str]:
    return {word[:STEM] for word in re.findall(r"\w+", text.lower())}
