"""The engine of `fill-mask`: a masked language model's most probable words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import transformers

from doneyet.task_types.models.engines.runtime.engine_base import EngineBase
from doneyet.task_types.models.engines.runtime.outcomes import finite, no_number
from doneyet.task_types.models.engines.runtime.padding import pad, tokenize
from doneyet.task_types.models.engines.runtime.pretrained import load_pretrained
from doneyet.task_types.models.engines.runtime.split_on_oom import freed_when_exhausted
from doneyet.task_types.models.fill_mask import MASK
from doneyet.task_types.models.model_type import ModelEntry, Progress

MOST_GUESSES = 1000
"""In one answer, for all masks together: each repeats the text."""


class _Prepared(NamedTuple):
    sequence: dict[str, list[int]]
    masks: list[int]
    """Where they are in the sequence."""
    tokens: int
    top_k: int


class FillMaskEngine(EngineBase):
    """Guesses the masked words of a text, each as if the others stayed masked."""

    def __init__(self, entry: ModelEntry, options: Any) -> None:
        super().__init__(load_pretrained(transformers.AutoModelForMaskedLM, entry))
        tokenizer = self.pretrained.tokenizer
        if tokenizer.mask_token is None:
            raise ValueError(f"{entry.model!r} has no mask token, so it cannot fill one")
        self._mask, self._mask_id = tokenizer.mask_token, tokenizer.mask_token_id
        self._unreadable = {*tokenizer.all_special_ids} - {self._mask_id}
        # Models have room for more tokens than there are, so that their sizes are round.
        known = {id_ for id_ in tokenizer.get_vocab().values() if id_ < self.pretrained.vocabulary}
        self._known = torch.tensor(sorted(known), device=self.pretrained.device)

    def prepare(self, inputs: Sequence[Any]) -> list[_Prepared | Exception]:
        texts = [item.text.replace(MASK, self._mask) for item in inputs]
        sequences = tokenize(self.pretrained, texts)
        return [self._prepared(item, each) for item, each in zip(inputs, sequences, strict=True)]

    def _prepared(self, item: Any, sequence: dict[str, list[int]]) -> _Prepared | Exception:
        ids = sequence["input_ids"]
        masks = [at for at, token in enumerate(ids) if token == self._mask_id]
        if not masks:
            return ValueError(f"the text needs a {self._mask} where a word is missing")
        if len(ids) > (most := self.pretrained.max_tokens):
            return ValueError(
                f"the text has {len(ids)} tokens, and this model reads {most}: send what is near "
                f"{self._mask}"
            )
        if len(masks) * item.top_k > MOST_GUESSES:
            return ValueError(
                f"{len(masks)} times {self._mask} with top_k {item.top_k} are more than "
                f"{MOST_GUESSES} guesses: ask for fewer, or send less text"
            )
        return _Prepared(sequence, masks, len(ids), item.top_k)

    def run(
        self, prepared: Sequence[_Prepared], progress: Progress
    ) -> list[dict[str, Any] | Exception]:
        rows = [row for row, each in enumerate(prepared) for _ in each.masks]
        places = [at for each in prepared for at in each.masks]
        most = max(each.top_k for each in prepared)
        with torch.inference_mode(), freed_when_exhausted():
            inputs = pad(self.pretrained, [each.sequence for each in prepared])
            logits = self.pretrained.model(**inputs).logits[rows, places].float()
            scores = torch.softmax(logits, dim=1)
            known = self._known[self._known < logits.shape[1]]
            best = scores[:, known].topk(min(most, len(known)))
        found = zip(best.values.tolist(), known[best.indices].tolist(), strict=True)
        good = finite(scores)
        outputs: list[dict[str, Any] | Exception] = []
        for each in prepared:
            guesses = [self._guesses(each, at, *next(found)) for at in each.masks]
            own, good = good[: len(guesses)], good[len(guesses) :]
            guessed = {"guesses": guesses if len(guesses) > 1 else guesses[0]}
            outputs.append(guessed if all(own) else no_number())
        return outputs

    def _guesses(
        self, prepared: _Prepared, at: int, scores: Sequence[float], tokens: Sequence[int]
    ) -> list[dict[str, Any]]:
        """The best for the mask at one place."""
        guesses = []
        for score, token in list(zip(scores, tokens, strict=True))[: prepared.top_k]:
            filled = list(prepared.sequence["input_ids"])
            filled[at] = token
            guesses.append(
                {
                    "score": score,
                    "token": token,
                    "token_str": self._word(token),
                    "sequence": self._text(filled),
                }
            )
        return guesses

    def _word(self, token: int) -> str:
        """What the token says; one that says nothing, such as a blank, by its own name."""
        tokenizer = self.pretrained.tokenizer
        return str(tokenizer.decode([token]) or tokenizer.convert_ids_to_tokens(token))

    def _text(self, ids: Sequence[int]) -> str:
        """What stands there, without special tokens but for masks that are still open."""
        return str(
            self.pretrained.tokenizer.decode([id_ for id_ in ids if id_ not in self._unreadable])
        )
