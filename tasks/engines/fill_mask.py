"""The engine of `fill-mask`: a masked language model's most probable words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import transformers

from tasks.engines.memory import freed_when_exhausted
from tasks.engines.padding import pad, tokenize
from tasks.engines.pretrained import load_pretrained
from tasks.fill_mask import MASK
from tasks.model_type import ModelEntry, Progress


class _Prepared(NamedTuple):
    sequence: dict[str, list[int]]
    mask_at: int
    tokens: int
    top_k: int


class FillMaskEngine:
    """Guesses one masked word of a text."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        self._pretrained = load_pretrained(transformers.AutoModelForMaskedLM, entry)
        self.max_batch_tokens = self._pretrained.max_batch_tokens
        self.batch_overhead_tokens = self._pretrained.batch_overhead_tokens
        tokenizer = self._pretrained.tokenizer
        if tokenizer.mask_token is None:
            raise ValueError(f"{entry.model!r} has no mask token, so it cannot fill one")
        self._mask, self._mask_id = tokenizer.mask_token, tokenizer.mask_token_id

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        texts = [item.text.replace(MASK, self._mask) for item in inputs]
        sequences = tokenize(self._pretrained, texts)
        return [self._prepared(item, each) for item, each in zip(inputs, sequences, strict=True)]

    def _prepared(self, item: Any, sequence: dict[str, list[int]]) -> _Prepared | Exception:
        ids = sequence["input_ids"]
        if (masks := ids.count(self._mask_id)) != 1:
            return ValueError(f"the text needs one {self._mask}, and has {masks}")
        if len(ids) > (most := self._pretrained.max_tokens):
            return ValueError(
                f"the text has {len(ids)} tokens, and this model reads {most}: send what is near "
                f"{self._mask}"
            )
        return _Prepared(sequence, ids.index(self._mask_id), len(ids), item.top_k)

    def run(self, prepared: Sequence[_Prepared], progress: Progress) -> list[dict[str, Any]]:
        with torch.inference_mode(), freed_when_exhausted():
            inputs = pad(self._pretrained, [each.sequence for each in prepared])
            logits = self._pretrained.model(**inputs).logits
            at = torch.tensor([each.mask_at for each in prepared], device=logits.device)
            rows = logits[torch.arange(len(prepared), device=logits.device), at].float()
            scores = torch.softmax(rows, dim=1).cpu()
        return [
            {"guesses": self._guesses(each, row)}
            for each, row in zip(prepared, scores, strict=True)
        ]

    def _guesses(self, prepared: _Prepared, scores: torch.Tensor) -> list[dict[str, Any]]:
        best = scores.topk(min(prepared.top_k, len(scores)))
        guesses = []
        for score, token in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            filled = list(prepared.sequence["input_ids"])
            filled[prepared.mask_at] = token
            tokenizer = self._pretrained.tokenizer
            guesses.append(
                {
                    "score": score,
                    "token": token,
                    "token_str": tokenizer.decode([token]),
                    "sequence": tokenizer.decode(filled, skip_special_tokens=True),
                }
            )
        return guesses
