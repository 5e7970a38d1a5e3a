"""The engine of `text-classification` by a model that was trained on the labels."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import torch
import transformers

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.outcomes import finite, no_number, nothing_to_read
from doneyet.task_types.models.engines.runtime.padding import cut, pad, padding_id, tokenize
from doneyet.task_types.models.engines.runtime.pretrained import load_pretrained
from doneyet.task_types.models.engines.runtime.split_on_oom import freed_when_exhausted
from doneyet.task_types.models.model_type import ModelEntry, Progress


class Classified(NamedTuple):
    """A text as tokens that the model can read."""

    sequence: dict[str, list[int]]
    tokens: int
    truncated: bool


class Classifier(EngineBase):
    """Scores of all labels: softmax, or where a text may have several labels, sigmoid of each."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        super().__init__(load_pretrained(transformers.AutoModelForSequenceClassification, entry))
        config = self.pretrained.model.config
        if config.problem_type == "regression":
            raise ValueError(f"{entry.model!r} tells a number (it is a regression), and no label")
        self._labels = [config.id2label[number] for number in range(config.num_labels)]
        # The softmax of a single label would be 1 whatever the text.
        multi_label = config.problem_type == "multi_label_classification"
        self._each_for_itself = multi_label or config.num_labels == 1
        # XLNet's summary is its last token, wherever that stands.
        self._in_front = getattr(config, "summary_type", None) == "last"

    def prepare(self, inputs: Sequence[Any]) -> list[Classified | Exception]:
        most, tail = self.pretrained.max_tokens, self.pretrained.tail
        return [
            classified(sequence, most, tail)
            for sequence in tokenize(self.pretrained, [item.input_text for item in inputs])
        ]

    def run(
        self, prepared: Sequence[Classified], progress: Progress
    ) -> list[dict[str, Any] | Exception]:
        sequences = [each.sequence for each in prepared]
        if self.pretrained.pad_id is None:
            # By this id models that read from left to right find where each text ends.
            self.pretrained.model.config.pad_token_id = padding_id(self.pretrained, sequences)
        with torch.inference_mode(), freed_when_exhausted():
            inputs = pad(self.pretrained, sequences, in_front=self._in_front)
            logits = self.pretrained.model(**inputs).logits.float()
        scores = logits.sigmoid() if self._each_for_itself else logits.softmax(dim=1)
        return [
            ranked(self._labels, row, truncated=each.truncated) if good else no_number()
            for each, row, good in zip(prepared, scores.tolist(), finite(logits), strict=True)
        ]


def classified(sequence: dict[str, list[int]], most: int, tail: int) -> Classified | Exception:
    """`sequence` with at most `most` tokens, its last `tail` kept."""
    if not sequence["input_ids"]:
        return nothing_to_read("text")
    short = cut(sequence, most, tail)
    length = len(short["input_ids"])
    return Classified(short, length, truncated=length < len(sequence["input_ids"]))


def ranked(labels: Sequence[str], scores: Sequence[float], *, truncated: bool) -> dict[str, Any]:
    """The output for one text: its labels, the best first."""
    listed = [{"label": label, "score": score} for label, score in zip(labels, scores, strict=True)]
    listed.sort(key=itemgetter("score"), reverse=True)
    return {**listed[0], "scores": listed, "truncated": truncated}
