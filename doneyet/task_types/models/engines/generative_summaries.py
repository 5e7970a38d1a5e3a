"""The engine of `summarization` by a text-to-text model such as LED, BART or T5.

A text longer than the model reads is cut into pieces of about equal length, between sentences
where that is possible. Every token of the text is in one piece. The summaries of the pieces, in
order, are the summary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.outcomes import nothing_to_read
from doneyet.task_types.models.engines.runtime.padding import batches_of_like_length
from doneyet.task_types.models.engines.runtime.split_on_oom import halved_when_exhausted
from doneyet.task_types.models.engines.sentences.sentences import split_sentences
from doneyet.task_types.models.engines.text_to_text import TextToText
from doneyet.task_types.models.model_type import ModelEntry, Progress


class _Prepared(NamedTuple):
    pieces: list[dict[str, list[int]]]
    most: int
    least: int
    tokens: int


class _Piece(NamedTuple):
    """Piece `number` of the input at `place` of the batch."""

    place: int
    number: int
    sequence: dict[str, list[int]]


class GenerativeSummaries(EngineBase):
    """Writes a summary of each piece."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._writer = TextToText(entry, options.max_length)
        super().__init__(self._writer.pretrained)
        self._options = options
        self._prefix = self.pretrained.tokens_and_places(options.prefix)[0]
        self._room = (
            self.pretrained.max_tokens - self._writer.special.around_one - len(self._prefix)
        )
        if self._room < 1:
            raise ValueError("the option `prefix` is longer than what the model reads")

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        return [self._prepared(item) for item in inputs]

    def _prepared(self, item: Any) -> _Prepared | Exception:
        if not item.context.strip():
            return ValueError("the text has nothing but space")
        ids, offsets = self.pretrained.tokens_and_places(item.context)
        if not ids:
            return nothing_to_read("text")
        starts = sentence_starts(item.context, offsets)
        pieces = [
            self._writer.special.wrap([*self._prefix, *ids[start:end]])
            for start, end in cut_into_pieces(len(ids), starts, self._room)
        ]
        most = min(item.max_length or self._options.max_length, self._writer.most_tokens)
        if item.min_length is not None and item.min_length > most:
            return ValueError(
                f"min_length {item.min_length} is more than the {most} tokens that a summary has "
                "here at most: ask for less, or for a greater max_length if the model can write it"
            )
        least = min(most, self._options.min_length if item.min_length is None else item.min_length)
        return _Prepared(pieces, most, least, sum(len(piece["input_ids"]) for piece in pieces))

    def run(
        self, prepared: Sequence[_Prepared], progress: Progress
    ) -> list[dict[str, Any] | Exception]:
        written = [[""] * len(each.pieces) for each in prepared]
        done = [0] * len(prepared)
        failed: dict[int, Exception] = {}

        def write(batch: Sequence[_Piece]) -> None:
            most, least = prepared[batch[0].place].most, prepared[batch[0].place].least
            sequences = [piece.sequence for piece in batch]
            beams = self._options.num_beams
            texts = self._writer.write(sequences, most=most, least=least, beams=beams)
            for piece, summary in zip(batch, texts, strict=True):
                if isinstance(summary, Exception):
                    failed[piece.place] = summary
                else:
                    written[piece.place][piece.number] = summary.text
                done[piece.place] += 1
            for place in {piece.place for piece in batch}:
                count = len(written[place])
                progress(place, done[place] / count, f"piece {done[place]} of {count}")

        for batch in self._batches(prepared):
            halved_when_exhausted(batch, write)
        return [
            failed.get(place)
            or {
                "summary": " ".join(text for text in texts if text),
                "pieces": len(texts),
                "truncated": False,
            }
            for place, texts in enumerate(written)
        ]

    def _batches(self, prepared: Sequence[_Prepared]) -> Iterator[list[_Piece]]:
        """Pieces of like length whose summaries are to be of one length."""
        by_length: dict[tuple[int, int], list[_Piece]] = {}
        for place, each in enumerate(prepared):
            group = by_length.setdefault((each.most, each.least), [])
            group += [_Piece(place, number, piece) for number, piece in enumerate(each.pieces)]
        for pieces in by_length.values():
            lengths = [len(piece.sequence["input_ids"]) for piece in pieces]
            for batch in batches_of_like_length(lengths, self.max_batch_tokens):
                yield [pieces[at] for at in batch]


def sentence_starts(text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The tokens with which sentences begin; `offsets` tell where each token is in `text`."""
    starts, token = [], 0
    for sentence in split_sentences(text):
        while token < len(offsets) and offsets[token][1] <= sentence.start:
            token += 1
        starts.append(token)
    return starts


def cut_into_pieces(count: int, starts: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Where `count` tokens are cut into pieces of at most `room`: pairs of start and end.

    A piece ends before the sentence that begins nearest to where equal pieces would end; within a
    sentence only where none begins.
    """
    pieces: list[tuple[int, int]] = []
    start = 0
    while count - start > room:
        equal = start + math.ceil((count - start) / math.ceil((count - start) / room))
        possible = [at for at in starts if start < at <= start + room]
        end = min(possible, key=lambda at: abs(at - equal)) if possible else start + room
        pieces.append((start, end))
        start = end
    return [*pieces, (start, count)]
