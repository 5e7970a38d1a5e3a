"""Texts to be embedded: random words that are one token each, no text twice."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

SHORTEST_WORD = 4
BLOCK = 64


def words_of(vocabulary: Mapping[str, int]) -> list[str]:
    """The tokens of a vocabulary that are whole words."""
    return sorted(
        token
        for token in vocabulary
        if token.isascii() and token.isalpha() and token.islower() and len(token) >= SHORTEST_WORD
    )


def texts(words: Sequence[str], seed: int, shortest: int, longest: int) -> Iterator[str]:
    """Endless texts of `shortest` to `longest` words, the same ones for the same seed.

    Lengths are spread evenly on a logarithmic scale: each block of 64 texts has the same ones, in
    random order, so that any two stretches of texts take about as long to compute.
    """
    chance = random.Random(seed)
    ratio = longest / shortest
    lengths = [round(shortest * ratio ** ((at + 0.5) / BLOCK)) for at in range(BLOCK)]
    while True:
        chance.shuffle(lengths)
        for length in lengths:
            yield " ".join(chance.choices(words, k=length))
