"""The terms of a polynomial in several variables: which there are, their names, their values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np

Exponents = Sequence[tuple[int, ...]]
"""The power of each variable in each term, as `exponents_up_to` gives them."""


def exponents_up_to(variables: int, degree: int) -> Exponents:
    """All products of powers of the variables, of degree 1 up to `degree`, the lower ones first."""
    return [
        tuple(chosen.count(variable) for variable in range(variables))
        for each in range(1, degree + 1)
        for chosen in combinations_with_replacement(range(variables), each)
    ]


def term(powers: Sequence[int]) -> str:
    """`x0`, `x0*x1`, `x0^2`."""
    factors = (
        f"x{at}" if power == 1 else f"x{at}^{power}" for at, power in enumerate(powers) if power
    )
    return "*".join(factors)


def values(x: Any, exponents: Exponents) -> Any:
    """What each term is for each row of `x`: (rows, terms) float64."""
    made = np.empty((len(x), len(exponents)), order="F")
    places: dict[tuple[int, ...], int] = {}
    for place, powers in enumerate(exponents):
        at = next(variable for variable, power in enumerate(powers) if power)
        # Each is one of a lower degree, which came before it, times a variable.
        lower = places.get((*powers[:at], powers[at] - 1, *powers[at + 1 :]))
        made[:, place] = x[:, at] if lower is None else made[:, lower] * x[:, at]
        places[powers] = place
    return made


def expanded(
    exponents: Exponents,
    coefficients: Sequence[float],
    centre: Sequence[float],
    scale: Sequence[float],
) -> tuple[float, list[float]]:
    """The constant and the coefficients, in terms of x, of a polynomial of (x - centre) / scale.

    Worked out in fractions, since what is added nearly cancels where x is far from 0; only the
    sums are rounded.

    Raises:
        ValueError: double precision has no such numbers.
    """

    @cache
    def power_of(variable: int, power: int) -> list[Fraction]:
        """The coefficients of `((x - centre) / scale) ** power`, of the constant first."""
        away, divisor = -Fraction(centre[variable]), Fraction(scale[variable]) ** power
        return [
            math.comb(power, lower) * away ** (power - lower) / divisor
            for lower in range(power + 1)
        ]

    sums = dict.fromkeys([(0,) * len(centre), *exponents], Fraction())
    for powers, coefficient in zip(exponents, coefficients, strict=True):
        used = [(variable, power) for variable, power in enumerate(powers) if power]
        for chosen in product(*(range(power + 1) for _, power in used)):
            lower, share = [0] * len(powers), Fraction(coefficient)
            for (variable, power), low in zip(used, chosen, strict=True):
                lower[variable] = low
                share *= power_of(variable, power)[low]
            sums[tuple(lower)] += share
    constant, *others = map(_rounded, sums.values())
    return constant, others


def _rounded(exact: Fraction) -> float:
    try:
        nearest = float(exact)
    except OverflowError:
        nearest = 0.0
    if exact and not nearest:
        raise ValueError(
            "a coefficient is too large or too small for double precision; scale the numbers, so "
            "that they are nearer to 1"
        )
    return nearest
