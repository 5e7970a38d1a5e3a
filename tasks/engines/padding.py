"""Token sequences of different lengths as one rectangular batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from tasks.engines.pretrained import Pretrained


def tokenize(
    pretrained: Pretrained, texts: Sequence[str], **options: Any
) -> list[dict[str, list[int]]]:
    """Each text's model inputs (`input_ids`, `attention_mask`, ...), neither cut nor padded.

    Tokenizers keep how they were told to cut and pad, and are shared by two threads here, so that
    nobody may tell them.
    """
    encoded = pretrained.tokenizer(list(texts), verbose=False, **options)
    names = list(encoded.keys())
    return [{name: encoded[name][at] for name in names} for at in range(len(texts))]


def cut(sequence: Mapping[str, list[int]], most: int) -> dict[str, list[int]]:
    """The first `most` tokens of one text's tokens, the last special token kept."""
    return {
        name: list(ids) if len(ids) <= most else [*ids[: most - 1], ids[-1]]
        for name, ids in sequence.items()
    }


def batches_of_like_length(lengths: Sequence[int], most_tokens: int) -> Iterator[list[int]]:
    """Places of sequences of these lengths, the shortest first; a batch's longest length times its
    size is at most `most_tokens`, unless it is one sequence."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[place] * (len(batch) + 1) > most_tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def pad(
    pretrained: Pretrained, sequences: Sequence[Mapping[str, list[int]]]
) -> dict[str, torch.Tensor]:
    """`sequences` as tensors (batch, tokens) int64 on the model's device, padded to the longest.

    Raises:
        ValueError: the tokenizer has tokens that the model lacks. A GPU that looked one up would
            be of no use to this process any more.
    """
    names = [name for name in sequences[0] if name in pretrained.tokenizer.model_input_names]
    padded = pretrained.tokenizer.pad(
        {name: [sequence[name] for sequence in sequences] for name in names},
        return_tensors="pt",
    )
    most = getattr(pretrained.model.config, "vocab_size", None)
    if most is not None and (highest := int(padded["input_ids"].max())) >= most:
        token = pretrained.tokenizer.convert_ids_to_tokens(highest)
        raise ValueError(f"the model has no token {token!r}, as its tokenizer thinks it has")
    return {name: tensor.to(pretrained.device) for name, tensor in padded.items()}
