"""How many tokens a model reads and writes at once.

A token behind the last position is an index that is out of range: an error on a processor, and on
a GPU the end of the process. So limits are looked for in the configuration and in the model itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOST_WITHOUT_LIMIT = 2048
"""What a model reads at once that has no limit of its own: memory is one."""

_COUNTS = ("max_position_embeddings", "max_encoder_position_embeddings", "n_positions")
_DECODER_COUNTS = ("max_decoder_position_embeddings", "max_position_embeddings")
"""What configurations call the number of positions that a model has."""

_ENDS = ("position_embeddings", "position_embedding", "embed_positions", "wpe")
"""What models call the vectors of positions."""


def most_read(model: Any, tokenizer: Any) -> int:
    """Tokens of the longest input, special ones included: the least that anybody says.

    Tokenizers that say nothing give an enormous number.
    """
    config = getattr(model.config, "encoder", model.config)
    several = bool(getattr(model.config, "is_encoder_decoder", False))
    known = [*_configured(config, _COUNTS), *_counted(model, decoder=False if several else None)]
    if isinstance(says := tokenizer.model_max_length, int | float) and 0 < says < 1e9:
        known.append(int(says))
    return min(known, default=MOST_WITHOUT_LIMIT)


def most_written(model: Any) -> int | None:
    """Tokens that the decoder of a text-to-text model can write; None where it has no limit."""
    config = getattr(model.config, "decoder", model.config)
    known = [*_configured(config, _DECODER_COUNTS), *_counted(model, decoder=True)]
    return min(known, default=None)


def _configured(config: Any, names: tuple[str, ...]) -> Iterator[int]:
    for name in names:
        count = getattr(config, name, None)
        if isinstance(count, int) and count > 0:
            yield count


def _counted(model: Any, *, decoder: bool | None) -> Iterator[int]:
    """The positions for which the decoder, or all but it, or (None) the whole has vectors."""
    for name, module in model.named_modules():
        vectors = getattr(module, "num_embeddings", None)
        if vectors is None or name.rsplit(".", 1)[-1] not in _ENDS:
            continue
        if decoder is not None and ("decoder" in name.split(".")) is not decoder:
            continue
        # BART and its relatives leave the first two out; RoBERTa and its relatives count from
        # behind padding's. Sinusoids have no such thing, and an index for padding all the same.
        unused = getattr(module, "offset", 0)
        padding = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            unused = padding + 1
        if vectors - unused > 0:
            yield vectors - unused
