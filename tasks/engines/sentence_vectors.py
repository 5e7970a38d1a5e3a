"""Sentence vectors: mean-pooled, normalized (Reimers & Gurevych 2019, Sentence-BERT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import transformers

from tasks.engines.memory import freed_when_exhausted, halved_when_exhausted
from tasks.engines.padding import batches_of_like_length, cut, pad, tokenize
from tasks.engines.pretrained import Pretrained, load_pretrained
from tasks.model_type import ModelEntry

TRAINED_WITH_TOKENS = 256
"""What sentence models were usually trained with; longer texts are cut there."""


class SentenceVectors:
    """An encoder that makes one vector of each text."""

    def __init__(self, entry: ModelEntry, max_tokens: int = TRAINED_WITH_TOKENS) -> None:
        self.pretrained: Pretrained = load_pretrained(transformers.AutoModel, entry)
        self.max_tokens = min(max_tokens, self.pretrained.max_tokens)
        self.max_batch_tokens = entry.max_batch_tokens or self.pretrained.max_batch_tokens

    def tokenize(self, texts: Sequence[str]) -> list[dict[str, list[int]]]:
        """Each text's tokens, not cut."""
        return tokenize(self.pretrained, texts)

    def cut(self, tokens: Mapping[str, list[int]]) -> dict[str, list[int]]:
        """The first `max_tokens` of one text's tokens, the last special token kept."""
        return cut(tokens, self.max_tokens)

    def embed(self, sequences: Sequence[Mapping[str, list[int]]]) -> torch.Tensor:
        """The vectors of one batch of cut sequences: (batch, size) float32, of length 1, on CPU."""
        with torch.inference_mode(), freed_when_exhausted():
            inputs = pad(self.pretrained, sequences)
            hidden = self.pretrained.model(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
            return torch.nn.functional.normalize(mean.float(), dim=1).cpu()

    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """The vectors of any number of texts: (texts, size) float32, of length 1, on CPU."""
        return self.embed_sequences([self.cut(tokens) for tokens in self.tokenize(texts)])

    def embed_sequences(self, sequences: Sequence[Mapping[str, list[int]]]) -> torch.Tensor:
        """The vectors of any number of cut sequences: (sequences, size) float32, on CPU.

        Those of like length share a batch of at most `max_batch_tokens`.
        """
        lengths = [len(sequence["input_ids"]) for sequence in sequences]
        vectors = torch.empty(len(sequences), self.pretrained.model.config.hidden_size)

        def embed(batch: Sequence[int]) -> None:
            vectors[list(batch)] = self.embed([sequences[place] for place in batch])

        for batch in batches_of_like_length(lengths, self.max_batch_tokens):
            halved_when_exhausted(batch, embed)
        return vectors
