"""The engine of `question-answering` that finds the answer in the context.

A context longer than the model reads is looked at in windows that overlap. The answer is the span,
of all windows, whose logits for its first and its last token are highest together (Devlin et al.
2019, section 4.2). Its score is that span's share in the softmax over all spans of the context;
each span is looked at in one window only, so that none counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import transformers

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.outcomes import no_number, nothing_to_read
from doneyet.task_types.models.engines.runtime.padding import batches_of_like_length, pad
from doneyet.task_types.models.engines.runtime.pretrained import load_pretrained
from doneyet.task_types.models.engines.runtime.special_tokens import SpecialTokens
from doneyet.task_types.models.engines.runtime.split_on_oom import (
    freed_when_exhausted,
    halved_when_exhausted,
)
from doneyet.task_types.models.model_type import ModelEntry, Progress

LEAST_ROOM = 8
"""Tokens that a question must leave for the context."""


class _Window(NamedTuple):
    sequence: dict[str, list[int]]
    context_at: int
    """Where the context's tokens begin in the sequence."""
    offsets: list[tuple[int, int]]
    """Where each of them is in the context, in characters."""
    begin: range
    """Those of them with which spans begin here; others begin spans in a neighbouring window."""


class _Prepared(NamedTuple):
    context: str
    windows: list[_Window]
    tokens: int


class _Span(NamedTuple):
    logit: float
    start: int
    end: int


class ExtractiveAnswers(EngineBase):
    """A model with two logits per token: the answer begins here, the answer ends here."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        kind = transformers.AutoModelForQuestionAnswering
        super().__init__(load_pretrained(kind, entry, places=True))
        self._special = SpecialTokens(self.pretrained.tokenizer)
        self._options = options

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        return [self._prepared(item.question, item.context or "") for item in inputs]

    def _prepared(self, question: str, context: str) -> _Prepared | Exception:
        if not context.strip():
            return ValueError("this model finds answers in a context: send one")
        tokenizer = self.pretrained.tokenizer
        asked = tokenizer(question.strip(), add_special_tokens=False, verbose=False)["input_ids"]
        if not asked:
            return nothing_to_read("question")
        room = self.pretrained.max_tokens - len(asked) - self._special.around_two
        if room < LEAST_ROOM:
            most = self.pretrained.max_tokens - self._special.around_two - LEAST_ROOM
            return ValueError(f"the question has {len(asked)} tokens; {most} are possible")
        ids, offsets = self.pretrained.tokens_and_places(context)
        if not ids:
            return nothing_to_read("context")
        shared = min(self._options.stride, room // 2)
        windows = [
            _Window(
                self._special.wrap_pair(asked, ids[start : start + room]),
                len(self._special.pair_head) + len(asked) + len(self._special.middle),
                offsets[start : start + room],
                begin,
            )
            for start, begin in windows_of(len(ids), room, shared, self._options.max_answer_tokens)
        ]
        tokens = sum(len(window.sequence["input_ids"]) for window in windows)
        return _Prepared(context, windows, tokens)

    def run(
        self, prepared: Sequence[_Prepared], progress: Progress
    ) -> list[dict[str, Any] | Exception]:
        windows = [window for each in prepared for window in each.windows]
        logits = self._logits([window.sequence for window in windows])
        answers: list[dict[str, Any] | Exception] = []
        at = 0
        for each in prepared:
            own = logits[at : at + len(each.windows)]
            good = all(both.isfinite().all() for both in own)
            answers.append(self._answer(each, own) if good else no_number())
            at += len(each.windows)
        return answers

    def _logits(self, sequences: Sequence[dict[str, list[int]]]) -> list[torch.Tensor]:
        """Per sequence (2, tokens) float32: logits of first and of last tokens."""
        lengths = [len(sequence["input_ids"]) for sequence in sequences]
        found: list[torch.Tensor] = [torch.empty(0)] * len(sequences)

        def find(batch: Sequence[int]) -> None:
            with torch.inference_mode(), freed_when_exhausted():
                inputs = pad(self.pretrained, [sequences[place] for place in batch])
                output = self.pretrained.model(**inputs)
                both = torch.stack([output.start_logits, output.end_logits], dim=1).float().cpu()
            for row, place in enumerate(batch):
                found[place] = both[row, :, : lengths[place]]

        for batch in batches_of_like_length(lengths, self.max_batch_tokens):
            halved_when_exhausted(batch, find)
        return found

    def _answer(self, prepared: _Prepared, logits: Sequence[torch.Tensor]) -> dict[str, Any]:
        best: _Span | None = None
        totals, none = [], float("inf")
        for window, both in zip(prepared.windows, logits, strict=True):
            at, count = window.context_at, len(window.offsets)
            spans = both[0, at : at + count, None] + both[1, None, at : at + count]
            allowed = torch.ones_like(spans).triu().tril(self._options.max_answer_tokens - 1).bool()
            allowed[: window.begin.start] = False
            allowed[window.begin.stop :] = False
            spans = spans.masked_fill(~allowed, -torch.inf)
            totals.append(spans.flatten().logsumexp(dim=0))
            none = min(none, float(both[0, 0] + both[1, 0]))
            place = int(spans.argmax())
            span = _Span(
                float(spans.flatten()[place]),
                window.offsets[place // count][0],
                window.offsets[place % count][1],
            )
            best = span if best is None or span.logit > best.logit else best
        assert best is not None  # there is always a window
        total = torch.stack(totals).logsumexp(dim=0)
        if self._options.may_find_none:
            total = torch.logaddexp(total, torch.tensor(none))
            if none > best.logit:
                return _output("", float(torch.exp(none - total)), None, None)
        text = prepared.context[best.start : best.end]
        start = best.start + len(text) - len(text.lstrip())
        end = start + len(text.strip())
        score = float(torch.exp(best.logit - total))
        return _output(prepared.context[start:end], score, start, end)


def windows_of(count: int, room: int, shared: int, longest: int) -> Iterator[tuple[int, range]]:
    """Where windows on `count` tokens begin, and which of a window's own tokens begin its spans.

    A token that two windows share begins spans where it has more of the context around it (as in
    the program of Devlin et al.), and where a span of `longest` tokens fits, if one does.
    """
    step = room - shared
    before = max(0, min(shared // 2, shared - longest + 1))
    starts = range(0, max(1, count - room + step), step)
    for start in starts:
        first = before if start > 0 else 0
        last = step + before if start < starts[-1] else count - start
        yield start, range(first, last)


def _output(answer: str, score: float, start: int | None, end: int | None) -> dict[str, Any]:
    return {"answer": answer, "score": score, "start": start, "end": end, "truncated": False}
