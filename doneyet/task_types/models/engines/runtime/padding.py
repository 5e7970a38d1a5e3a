"""Token sequences of different lengths as one rectangular batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from doneyet.task_types.models.engines.runtime.pretrained import Pretrained


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


def cut(sequence: Mapping[str, list[int]], most: int, tail: int) -> dict[str, list[int]]:
    """The first `most` tokens of one text's tokens, the `tail` special tokens at its end kept."""
    return {
        name: list(ids) if len(ids) <= most else [*ids[: most - tail], *ids[len(ids) - tail :]]
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
    pretrained: Pretrained, sequences: Sequence[Mapping[str, list[int]]], *, in_front: bool = False
) -> dict[str, torch.Tensor]:
    """`sequences` as tensors (batch, tokens) int64 on the model's device, padded to the longest.

    Behind the text, whatever the tokenizer would do: there no model counts padding as a position,
    and none that reads from left to right comes to it. What is padding the mask says, so that a
    model without a token for it is given any.

    Args:
        pretrained: the model and its tokenizer.
        sequences: at least one, each of at least one token.
        in_front: for models that take a text's last token to be the last of all.

    Raises:
        ValueError: the tokenizer has tokens that the model lacks. A GPU that looked one up would
            be of no use to this process any more.
    """
    lengths = [len(sequence["input_ids"]) for sequence in sequences]
    longest = max(lengths)
    highest = max(max(sequence["input_ids"]) for sequence in sequences)
    if highest >= pretrained.vocabulary:
        token = pretrained.tokenizer.convert_ids_to_tokens(highest)
        raise ValueError(f"the model has no token {token!r}, as its tokenizer thinks it has")
    fillings = {
        "input_ids": padding_id(pretrained, sequences),
        "token_type_ids": pretrained.tokenizer.pad_token_type_id,
    }

    def row(ids: Sequence[int], filling: int) -> list[int]:
        padding = [filling] * (longest - len(ids))
        return [*padding, *ids] if in_front else [*ids, *padding]

    rows = {
        name: [row(sequence[name], filling) for sequence in sequences]
        for name, filling in fillings.items()
        if name in pretrained.takes and name in sequences[0]
    }
    rows["attention_mask"] = [row([1] * length, 0) for length in lengths]
    return {name: torch.tensor(each, device=pretrained.device) for name, each in rows.items()}


def padding_id(pretrained: Pretrained, sequences: Sequence[Mapping[str, list[int]]]) -> int:
    """What to pad `sequences` with: an id that none of them has, where the model says nothing."""
    if pretrained.pad_id is not None:
        return pretrained.pad_id
    used = {token for sequence in sequences for token in sequence["input_ids"]}
    return next((token for token in range(pretrained.vocabulary) if token not in used), 0)
