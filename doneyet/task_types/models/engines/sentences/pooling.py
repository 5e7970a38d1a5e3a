"""From the vectors of tokens to the vector of a text, as sentence-transformers models say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Identity": lambda vectors: vectors,
    "Tanh": torch.tanh,
    "ReLU": functional.relu,
    "GELU": functional.gelu,
    "SiLU": functional.silu,
    "Sigmoid": torch.sigmoid,
}
"""By the names of torch's classes, as they are without arguments."""


class Layer(Protocol):
    """A step after the pooling."""

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """What becomes of (texts, size) float32."""
        ...


class Normalize(NamedTuple):
    """Makes each vector 1 long."""

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """(texts, size)."""
        return functional.normalize(vectors, dim=1)


class Dense(NamedTuple):
    """A linear layer and an activation; perhaps with what went in added to what comes out."""

    weight: torch.Tensor
    """(size after, size before) float32."""
    bias: torch.Tensor | None
    activation: Callable[[torch.Tensor], torch.Tensor]
    residual: bool = False
    projection: torch.Tensor | None = None
    """Brings what went in to the size of what comes out."""

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """(texts, size after)."""
        bias = None if self.bias is None else self.bias.to(vectors)
        made = self.activation(functional.linear(vectors, self.weight.to(vectors), bias))
        if not self.residual:
            return made
        if self.projection is None:
            return made + vectors
        return made + functional.linear(vectors, self.projection.to(vectors))


def pooled(tokens: torch.Tensor, counts: torch.Tensor, modes: Sequence[str]) -> torch.Tensor:
    """The texts' vectors: (texts, size of each mode together) float32.

    Args:
        tokens: (texts, tokens, size), whose padding may hold anything.
        counts: (texts, tokens) bool: which tokens count; at least one of each text.
        modes: of `MODES`.
    """
    values = tokens.float().masked_fill(~counts.unsqueeze(2), 0.0)
    return torch.cat([MODES[mode](values, counts) for mode in modes], dim=1)


def _cls(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The first token."""
    return values[torch.arange(len(values)), counts.int().argmax(dim=1)]


def _last(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The last token."""
    places = torch.arange(counts.shape[1], device=counts.device)
    return values[torch.arange(len(values)), (places * counts).argmax(dim=1)]


def _max(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The largest number in each dimension."""
    return values.masked_fill(~counts.unsqueeze(2), -torch.inf).amax(dim=1)


def _mean(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    return values.sum(dim=1) / counts.sum(dim=1, keepdim=True)


def _mean_sqrt(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The sum, divided by the root of how many there are."""
    return values.sum(dim=1) / counts.sum(dim=1, keepdim=True).sqrt()


def _weighted_mean(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The mean with each token weighted by its place, from 1 on."""
    places = torch.arange(1, counts.shape[1] + 1, device=counts.device)
    weights = (places * counts).float()
    return (values * weights.unsqueeze(2)).sum(dim=1) / weights.sum(dim=1, keepdim=True)


MODES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cls": _cls,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
"""How the tokens of a text are pooled, by the names that configurations have for it."""
