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
    """What the model wrote; `score` is the mean probability of its tokens, as a geometric mean."""

    text: str
    score: float


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
    ) -> list[Written]:
        """A text for each of `sequences`, which are one batch.

        Args:
            sequences: the model's inputs, not padded.
            most: tokens that a text has at most.
            least: tokens that it has at least.
            beams: how many texts are followed at once; None: as the model's configuration says.
        """
        model, tokenizer = self.pretrained.model, self.pretrained.tokenizer
        with torch.inference_mode(), freed_when_exhausted():
            inputs = pad(self.pretrained, sequences)
            if self._attends_globally:
                inputs["global_attention_mask"] = torch.zeros_like(inputs["input_ids"])
                inputs["global_attention_mask"][:, 0] = 1
            options = {} if beams is None else {"num_beams": beams}
            written = model.generate(
                **inputs,
                **options,
                do_sample=False,
                max_new_tokens=most,
                min_new_tokens=least or None,
                min_length=0 if least else None,
                return_dict_in_generate=True,
                output_scores=True,
            )
            logs = model.compute_transition_scores(
                written.sequences,
                written.scores,
                getattr(written, "beam_indices", None),
                normalize_logits=True,
            ).float()
        texts = tokenizer.batch_decode(written.sequences, skip_special_tokens=True)
        new = written.sequences[:, -logs.shape[1] :]
        kept = torch.isfinite(logs) & (new != tokenizer.pad_token_id)
        mean = logs.masked_fill(~kept, 0).sum(dim=1) / kept.sum(dim=1).clamp(min=1)
        return [
            Written(text.strip(), score)
            for text, score in zip(texts, mean.exp().tolist(), strict=True)
        ]
