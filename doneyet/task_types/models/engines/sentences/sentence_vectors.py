"""Sentence vectors of length 1 (Reimers & Gurevych 2019, Sentence-BERT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tokenizers
import torch
import transformers

from doneyet.task_types.models.engines.runtime.model_files import explained, place_of
from doneyet.task_types.models.engines.runtime.padding import (
    batches_of_like_length,
    cut,
    pad,
    tokenize,
)
from doneyet.task_types.models.engines.runtime.pretrained import Pretrained, load_pretrained
from doneyet.task_types.models.engines.runtime.split_on_oom import (
    freed_when_exhausted,
    halved_when_exhausted,
)
from doneyet.task_types.models.engines.sentences.pooling import pooled
from doneyet.task_types.models.engines.sentences.sentence_folder import (
    SentenceFolder,
    read_sentence_folder,
)
from doneyet.task_types.models.model_type import ModelEntry

TRAINED_WITH_TOKENS = 256
"""What sentence models were usually trained with; longer texts are cut there."""

_COUNTS = "counts"
"""Which tokens are pooled, where the prompt's are not; no input of the model."""


class SentenceVectors:
    """An encoder that makes one vector of each text, as its folder says.

    Vectors are always of length 1, so that their products are cosines.
    """

    def __init__(self, entry: ModelEntry, max_tokens: int | None = None) -> None:
        place = place_of(entry)
        with explained(entry, place):
            self.folder: SentenceFolder = read_sentence_folder(entry, place)
            auto_class = _encoder_class(entry, place, self.folder.transformer)
        self.pretrained: Pretrained = load_pretrained(auto_class, entry, self.folder.transformer)
        says = self.folder.max_tokens
        wanted = max_tokens or says or TRAINED_WITH_TOKENS
        self.max_tokens = min(wanted, says or wanted, self.pretrained.max_tokens)
        if self.folder.lower_case:
            _make_small(self.pretrained.tokenizer)
        longest = max(self._length_of(text) for text in ("", *self.folder.prompts.values()))
        if longest + self.pretrained.tail >= self.max_tokens:
            raise ValueError(f"a prompt of {entry.model!r} leaves no room for a text")

    def tokenize(
        self, texts: Sequence[str], prompt: str | None = None
    ) -> list[dict[str, list[int]]]:
        """Each text's tokens, not cut, with `prompt` (None: the model's default one) before it."""
        prompt = self.folder.default_prompt if prompt is None else prompt
        found = tokenize(self.pretrained, [prompt + text for text in texts])
        if prompt and not self.folder.pools_prompt:
            length = self._length_of(prompt)
            for tokens in found:
                own = len(tokens["input_ids"]) - length
                tokens[_COUNTS] = [0] * (length if own > 0 else 0) + [1] * own
        return found

    def room_after(self, prompt: str) -> int:
        """How many tokens of a text fit behind `prompt`."""
        special = self.pretrained.tokenizer.num_special_tokens_to_add()
        before = self._length_of(prompt) if prompt else special - self.pretrained.tail
        return self.max_tokens - before - self.pretrained.tail

    def _length_of(self, prompt: str) -> int:
        """How many tokens the prompt has before a text, those before itself included."""
        ids = self.pretrained.tokenizer(prompt)["input_ids"] if prompt else []
        ends = bool(ids) and ids[-1] in self.pretrained.tokenizer.all_special_ids
        return len(ids) - ends

    def cut(self, tokens: Mapping[str, list[int]]) -> dict[str, list[int]]:
        """The first `max_tokens` of one text's tokens, the special tokens behind it kept."""
        return cut(tokens, self.max_tokens, self.pretrained.tail)

    def embed(self, sequences: Sequence[Mapping[str, list[int]]]) -> torch.Tensor:
        """The vectors of one batch of cut sequences: (batch, size) float32, of length 1, on CPU.

        NaN where the model computes no numbers.
        """
        with torch.inference_mode(), freed_when_exhausted():
            inputs = pad(self.pretrained, sequences)
            hidden = self.pretrained.model(**inputs).last_hidden_state
            counts = inputs["attention_mask"].bool()
            for row, sequence in enumerate(sequences):
                if _COUNTS in sequence:
                    told = torch.tensor(sequence[_COUNTS], device=counts.device).bool()
                    counts[row, : len(told)] = told
            vectors = pooled(hidden, counts, self.folder.pooling)
            for layer in self.folder.layers:
                vectors = layer(vectors)
            vectors = vectors.cpu().double()  # squares of what single precision holds fit
            # Infinity by infinity, and nothing by nothing, are NaN: neither points anywhere.
            lengths = vectors.norm(dim=1, keepdim=True)
            return torch.div(vectors, lengths).float()

    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """The vectors of any number of texts: (texts, size) float32, of length 1, on CPU."""
        return self.embed_sequences([self.cut(tokens) for tokens in self.tokenize(texts)])

    def embed_sequences(self, sequences: Sequence[Mapping[str, list[int]]]) -> torch.Tensor:
        """The vectors of any number of cut sequences: (sequences, size) float32, on CPU.

        Those of like length share a batch of at most `max_batch_tokens`.
        """
        lengths = [len(sequence["input_ids"]) for sequence in sequences]
        vectors: list[torch.Tensor] = [torch.empty(0)] * len(sequences)

        def embed(batch: Sequence[int]) -> None:
            for place, vector in zip(
                batch, self.embed([sequences[at] for at in batch]), strict=True
            ):
                vectors[place] = vector

        for batch in batches_of_like_length(lengths, self.pretrained.max_batch_tokens):
            halved_when_exhausted(batch, embed)
        return torch.stack(vectors)


def _encoder_class(entry: ModelEntry, place: str, subfolder: str) -> type:
    """Of T5 and its relatives the encoder alone; else the bare model."""
    config = transformers.AutoConfig.from_pretrained(
        place, revision=entry.revision, subfolder=subfolder, trust_remote_code=False
    )
    if config.model_type in ("t5", "mt5", "umt5"):
        return transformers.AutoModelForTextEncoding
    return transformers.AutoModel


def _make_small(tokenizer: object) -> None:
    """Has the tokenizer make all letters small, and tell places in the text as it came."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError("do_lower_case needs a fast tokenizer")
    small = tokenizers.normalizers.Lowercase()
    others = [] if backend.normalizer is None else [backend.normalizer]
    backend.normalizer = tokenizers.normalizers.Sequence([small, *others])
