"""Text-to-text models (LED, BART, T5): from token sequences to texts."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import transformers

from doneyet.task_types.models.engines.runtime.outcomes import no_number
from doneyet.task_types.models.engines.runtime.padding import pad
from doneyet.task_types.models.engines.runtime.positions import most_written
from doneyet.task_types.models.engines.runtime.pretrained import load_pretrained
from doneyet.task_types.models.engines.runtime.special_tokens import SpecialTokens
from doneyet.task_types.models.engines.runtime.split_on_oom import freed_when_exhausted
from doneyet.task_types.models.model_type import ModelEntry

log = logging.getLogger(__name__)

_IDS = (
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
    *("forced_bos_token_id", "forced_eos_token_id", "suppress_tokens", "begin_suppress_tokens"),
    *("bad_words_ids", "force_words_ids"),
)
"""Where `generation_config.json` has ids of tokens: one, a list, or lists in lists."""


class Written(NamedTuple):
    """What the model wrote."""

    text: str
    score: float | None
    """The mean probability of its tokens, as a geometric mean; None where nobody asked for it."""


class TextToText:
    """An encoder and a decoder that writes the most probable text, never by chance."""

    def __init__(self, entry: ModelEntry, wanted_tokens: int) -> None:
        """Loads the model; texts of `wanted_tokens` will be asked of it.

        Raises:
            ValueError: the model cannot write as its own files say, or has no fast tokenizer.
        """
        kind = transformers.AutoModelForSeq2SeqLM
        self.pretrained = load_pretrained(kind, entry, places=True)
        self.special = SpecialTokens(self.pretrained.tokenizer)
        # Longformer's authors have the first token attend to all others (Beltagy et al. 2020).
        self._attends_globally = "global_attention_mask" in self.pretrained.takes
        self.most_tokens = most_written(self.pretrained.model) or sys.maxsize
        """The longest text that the decoder has positions for."""
        if wanted_tokens > self.most_tokens:
            log.warning(
                "%s writes at most %d tokens at once, not %d: longer answers end there",
                *(entry.model, self.most_tokens, wanted_tokens),
            )
        self._check_ids(entry)

    def _check_ids(self, entry: ModelEntry) -> None:
        """Refuses tokens that generating needs and the model lacks: no device may look one up."""
        model = self.pretrained.model
        config = model.generation_config
        written = model.get_output_embeddings()
        size = self.pretrained.vocabulary if written is None else len(written.weight)
        self._size = min(size, self.pretrained.vocabulary)
        for name in _IDS:
            for token in _flat(getattr(config, name, None)):
                if not 0 <= token < self._size:
                    raise ValueError(
                        f"{entry.model!r} is to generate with {name} {token}, and has {self._size} "
                        "tokens: correct its generation_config.json"
                    )
        if config.decoder_start_token_id is None and config.bos_token_id is None:
            raise ValueError(f"{entry.model!r} does not say with which token its texts begin")
        self._ends = [*_flat(config.eos_token_id)]
        known = self.pretrained.tokenizer.get_vocab().values()
        self._unknown = torch.ones(self._size, dtype=torch.bool, device=self.pretrained.device)
        self._unknown[[token for token in known if token < self._size]] = False

    def write(
        self,
        sequences: Sequence[Mapping[str, list[int]]],
        *,
        most: int,
        least: int = 0,
        beams: int | None = None,
        scored: bool = False,
    ) -> list[Written | Exception]:
        """A text for each of `sequences`, which are one batch; or why there is none.

        Args:
            sequences: the model's inputs, not padded.
            most: tokens that a text has at most; no more than `most_tokens` in any case.
            least: tokens that it has at least.
            beams: how many texts are followed at once; None: as the model's configuration says.
            scored: whether to tell how probable the model finds each text.
        """
        model, tokenizer = self.pretrained.model, self.pretrained.tokenizer
        watch = _Watch(self._unknown, len(sequences))
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
                num_return_sequences=1,
                return_dict_in_generate=False,
                max_new_tokens=min(most, self.most_tokens),
                min_new_tokens=least or None,
                min_length=0 if least else None,
                logits_processor=transformers.LogitsProcessorList([watch]),
            )
            scores = self._scores(inputs, written) if scored else [None] * len(sequences)
        texts = tokenizer.batch_decode(written, skip_special_tokens=True)
        return [
            Written(text.strip(), score) if good else no_number()
            for text, score, good in zip(texts, scores, watch.good(), strict=True)
        ]

    def _scores(self, inputs: Mapping[str, torch.Tensor], written: torch.Tensor) -> list[float]:
        """The score of each text, by reading it once more.

        To keep what was computed while it was written would take memory for all words of the
        vocabulary, at each token, in each beam: gigabytes for a batch of summaries.
        """
        logits = self.pretrained.model(**inputs, decoder_input_ids=written[:, :-1]).logits
        new = written[:, 1:]
        chosen = logits.gather(2, new.unsqueeze(2)).squeeze(2).float()
        logs = chosen - torch.stack([each.float().logsumexp(dim=1) for each in logits])
        ends = torch.isin(new, torch.tensor(self._ends, device=new.device, dtype=new.dtype)).int()
        kept = ends.cumsum(dim=1) - ends == 0  # up to the first end; what follows is padding
        if self.pretrained.pad_id is not None:
            kept &= new != self.pretrained.pad_id
        mean = logs.masked_fill(~kept, 0).sum(dim=1) / kept.sum(dim=1).clamp(min=1)
        scores: list[float] = mean.exp().tolist()
        return scores


class _Watch(transformers.LogitsProcessor):
    """Sees each step of a batch: notes texts of which the model computes NaN, and takes care that
    nothing is written that the tokenizer has no word for."""

    def __init__(self, unknown: torch.Tensor, texts: int) -> None:
        self._unknown, self._texts = unknown, texts
        self._bad: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`scores` are (texts times beams, vocabulary); returns those that count."""
        lost = scores.isnan().any(dim=1)
        bad = lost.view(self._texts, -1).any(dim=1)
        self._bad = bad if self._bad is None else self._bad | bad
        unknown = self._unknown[: scores.shape[1]]
        return scores.masked_fill(lost.unsqueeze(1), 0.0).masked_fill(unknown, -torch.inf)

    def good(self) -> list[bool]:
        """Of each text, whether all its numbers were some."""
        assert self._bad is not None  # a text has at least one token
        found: list[bool] = (~self._bad).tolist()
        return found


def _flat(ids: Any) -> Iterator[int]:
    """All ids in what a configuration has in the place of one."""
    if isinstance(ids, int):
        yield ids
    elif isinstance(ids, list | tuple):
        for each in ids:
            yield from _flat(each)
