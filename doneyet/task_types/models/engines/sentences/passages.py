"""The engine of `question-answering` without training: the passage nearest to the question.

A sentence is judged by its own likeness to the question, by that of it and the sentence before
together, and by the words that it shares with the question. The weights of the three were chosen
by questions about three pages and looked at with three more: of 72 answers 55 are in the right
sentence by likeness alone, 57 with shared words, 59 with both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.outcomes import finite, no_number, nothing_to_read
from doneyet.task_types.models.engines.sentences.sentence_vectors import SentenceVectors
from doneyet.task_types.models.engines.sentences.sentences import Sentence, split_sentences
from doneyet.task_types.models.model_type import ModelEntry, Progress

BEFORE_WEIGHT = 0.3
"""How much the sentence before counts: `It was built in 1874` does not say that it is about the
lighthouse, and the sentence before may."""

WORDS_WEIGHT = 0.2
"""How much shared words count beside likeness: a vector tells the subject better than the fact."""

STEM = 5
"""Words that begin alike by so many letters are taken for forms of one word."""


class _Prepared(NamedTuple):
    question: str
    context: str
    sentences: list[Sentence]
    sequences: list[dict[str, list[int]]]
    """The question's, then one for each sentence."""
    tokens: int


class Passages(EngineBase):
    """Finds the sentences most like the question; the answer is that part of the context."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._vectors = SentenceVectors(entry)
        super().__init__(self._vectors.pretrained)
        self._sentences = options.sentences

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        return [self._prepared(item) for item in inputs]

    def _prepared(self, item: Any) -> _Prepared | Exception:
        whole = split_sentences(item.context or "")
        if not whole:
            return ValueError("this model finds answers in a context: send one")
        folder = self._vectors.folder
        (asked,) = self._vectors.tokenize([item.question], folder.query_prompt)
        length, most = len(asked["input_ids"]), self._vectors.max_tokens
        if not length or not item.question.strip():
            return nothing_to_read("question")
        if length > most:
            return ValueError(f"the question has {length} tokens; {most} are possible")
        told = self._vectors.tokenize([each.text for each in whole], folder.document_prompt)
        sentences: list[Sentence] = []
        sequences = [asked]
        for sentence, sequence in zip(whole, told, strict=True):
            if not sequence["input_ids"]:
                continue
            if len(sequence["input_ids"]) <= most:
                sentences.append(sentence)
                sequences.append(sequence)
            else:
                parts = self._parts(sentence)
                sentences += parts
                texts = [part.text for part in parts]
                parts_told = self._vectors.tokenize(texts, folder.document_prompt)
                sequences += map(self._vectors.cut, parts_told)
        if not sentences:
            return nothing_to_read("context")
        tokens = sum(len(sequence["input_ids"]) for sequence in sequences)
        return _Prepared(item.question, item.context, sentences, sequences, tokens)

    def _parts(self, sentence: Sentence) -> list[Sentence]:
        """A sentence longer than the model reads, cut between words where there are any."""
        text = sentence.text
        room = self._vectors.room_after(self._vectors.folder.document_prompt)
        _, offsets = self.pretrained.tokens_and_places(text)
        parts, first = [], 0
        while first < len(offsets):
            last = end = min(first + room, len(offsets))
            while last < len(offsets) and end > first and not text[offsets[end][0] - 1].isspace():
                end -= 1
            last = end if end > first else last
            start, stop = offsets[first][0], offsets[last - 1][1]
            parts.append(Sentence(sentence.start + start, sentence.start + stop, text[start:stop]))
            first = last
        return parts

    def run(
        self, prepared: Sequence[_Prepared], progress: Progress
    ) -> list[dict[str, Any] | Exception]:
        together = [sequence for each in prepared for sequence in each.sequences]
        vectors = self._vectors.embed_sequences(together)
        parts = vectors.split([len(each.sequences) for each in prepared])
        return [
            self._answer(each, part) if all(finite(part)) else no_number()
            for each, part in zip(prepared, parts, strict=True)
        ]

    def _answer(self, prepared: _Prepared, vectors: torch.Tensor) -> dict[str, Any]:
        question, own = vectors[0], vectors[1:]
        likeness = own @ question
        with_before = torch.nn.functional.normalize(own + torch.cat([own[:1], own[:-1]]), dim=1)
        shared = shared_words(prepared.question, [each.text for each in prepared.sentences])
        context = torch.lerp(likeness, with_before @ question, BEFORE_WEIGHT)
        first = int((context + WORDS_WEIGHT * torch.tensor(shared)).argmax())
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
