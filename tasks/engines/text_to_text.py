"""Text-to-text models (LED, BART, T5): from token sequences to texts."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import transformers

from tasks.engines.memory import freed_when_exhausted
from tasks.engines.padding import pad
from tasks.engines.pretrained import load_pretrained
from tasks.engines.special_tokens import SpecialTokens
from tasks.model_type import ModelEntry


class Written(NamedTuple):
    """What the model wrote."""

    text: str
    score: float | None
    """The mean probability of its tokens, as a geometric mean; None where nobody asked for it."""


class TextToText:
    """An encoder and a decoder that writes the most probable text, never by chance."""

    def __init__(self, entry: ModelEntry) -> None:
        self.pretrained = load_pretrained(transformers.AutoModelForSeq2SeqLM, entry)
        if not self.pretrained.tokenizer.is_fast:
            raise ValueError(f"{entry.model!r} has no fast tokenizer, which tells where tokens are")
        self.max_batch_tokens = entry.max_batch_tokens or self.pretrained.max_batch_tokens
        self.batch_overhead_tokens = self.pretrained.batch_overhead_tokens
        self.special = SpecialTokens(self.pretrained.tokenizer)
        parameters = inspect.signature(self.pretrained.model.forward).parameters
        # Longformer's authors have the first token attend to all others (Beltagy et al. 2020).
        self._attends_globally = "global_attention_mask" in parameters

    def write(
        self,
        sequences: Sequence[Mapping[str, list[int]]],
        *,
        most: int,
        least: int = 0,
        beams: int | None = None,
        scored: bool = False,
    ) -> list[Written]:
        """A text for each of `sequences`, which are one batch.

        Args:
            sequences: the model's inputs, not padded.
            most: tokens that a text has at most.
            least: tokens that it has at least.
            beams: how many texts are followed at once; None: as the model's configuration says.
            scored: whether to tell how probable the model finds each text.
        """
        model, tokenizer = self.pretrained.model, self.pretrained.tokenizer
        with torch.inference_mode(), freed_when_exhausted():
            inputs = pad(self.pretrained, sequences)
            if self._attends_globally:
                inputs["global_attention_mask"] = torch.zeros_like(inputs["input_ids"])
                inputs["global_attention_mask"][:, 0] = 1
            options = {} if beams is None else {"num_beams": beams}
            written: torch.Tensor = model.generate(
                **inputs,
                **options,
                do_sample=False,
                max_new_tokens=most,
                min_new_tokens=least or None,
                min_length=0 if least else None,
            )
            scores = self._scores(inputs, written) if scored else [None] * len(sequences)
        texts = tokenizer.batch_decode(written, skip_special_tokens=True)
        return [Written(text.strip(), score) for text, score in zip(texts, scores, strict=True)]

    def _scores(self, inputs: Mapping[str, torch.Tensor], written: torch.Tensor) -> list[float]:
        """The score of each text, by reading it once more.

        To keep what was computed while it was written would take memory for all words of the
        vocabulary, at each token, in each beam: gigabytes for a batch of summaries.
        """
        logits = self.pretrained.model(**inputs, decoder_input_ids=written[:, :-1]).logits
        new = written[:, 1:]
        chosen = logits.gather(2, new.unsqueeze(2)).squeeze(2).float()
        logs = chosen - torch.stack([each.float().logsumexp(dim=1) for each in logits])
        kept = new != self.pretrained.tokenizer.pad_token_id
        mean = logs.masked_fill(~kept, 0).sum(dim=1) / kept.sum(dim=1).clamp(min=1)
        scores: list[float] = mean.exp().tolist()
        return scores
