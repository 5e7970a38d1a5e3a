"""Least squares with named terms: multivariate and polynomial regression, and how good they are.

Columns are centred (where there is an intercept) and scaled before they are solved for, so that
units do not decide about the precision. The solution is LAPACK's by singular values (`gelsd`,
through numpy). Singular values below `rows * eps` of the largest mean that terms depend on each
other (Golub & Van Loan, Matrix Computations, 4th ed., section 5.5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np


class Fitted(NamedTuple):
    """A regression's result; `exponents[t][v]` is the power of variable `v` in term `t`."""

    intercept: float
    coefficients: list[float]
    exponents: list[tuple[int, ...]]


class DependentTermsError(ValueError):
    """Raised when data cannot tell some terms from others; names them."""


def exponents_up_to(variables: int, degree: int) -> list[tuple[int, ...]]:
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


def fit(
    x: Sequence[Sequence[float]],
    y: Sequence[float],
    exponents: list[tuple[int, ...]],
    *,
    intercept: bool,
) -> Fitted:
    """The coefficients with the least sum of squared differences from `y`.

    Args:
        x: (rows, variables).
        y: (rows,).
        exponents: the terms.
        intercept: whether there is a constant term, too.

    Raises:
        DependentTermsError: a term is a combination of others, or constant beside an intercept.
        ValueError: the numbers are too large for double precision.
    """
    terms = _terms(np.asarray(x, dtype=float), exponents)
    wanted = np.asarray(y, dtype=float)
    if not (np.isfinite(terms).all() and np.isfinite(wanted).all()):
        raise ValueError("the numbers are too large for these powers; scale them down")
    centre = terms.mean(axis=0) if intercept else np.zeros(terms.shape[1])
    middle = float(wanted.mean()) if intercept else 0.0
    centred = terms - centre
    scale = np.abs(centred).max(axis=0)
    # What is left of a constant column after centring is rounding.
    constant = scale <= len(wanted) * np.finfo(float).eps * np.abs(terms).max(axis=0)
    if constant.any():
        named = _named(exponents, constant.nonzero()[0])
        raise DependentTermsError(f"these terms are the same in every row: {named}; leave them out")
    scaled = centred / scale
    solved, _, rank, _ = np.linalg.lstsq(scaled, wanted - middle, rcond=None)
    if rank < scaled.shape[1]:
        named = _named(exponents, _dependent(scaled))
        raise DependentTermsError(
            f"the data cannot tell these terms from others: {named}; leave variables out, add "
            "rows, or choose a lower degree"
        )
    coefficients = solved / scale
    return Fitted(middle - float(centre @ coefficients), coefficients.tolist(), exponents)


def predict(fitted: Fitted, x: Sequence[Sequence[float]]) -> Any:
    """What the regression says for each row of `x`: (rows,) float64."""
    terms = _terms(np.asarray(x, dtype=float), fitted.exponents)
    return terms @ np.asarray(fitted.coefficients) + fitted.intercept


def quality(predicted: Any, y: Sequence[float]) -> tuple[float | None, float]:
    """R^2 and the root of the mean squared difference.

    R^2 is one minus the share of the variance that is left; None where `y` does not vary.
    """
    wanted = np.asarray(y, dtype=float)
    left = float(np.mean((wanted - predicted) ** 2))
    variance = float(np.mean((wanted - wanted.mean()) ** 2))
    return (1 - left / variance if variance > 0 else None), math.sqrt(left)


def _terms(x: Any, exponents: list[tuple[int, ...]]) -> Any:
    """(rows, terms) float64; infinite where a power is too large."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.stack([(x ** np.asarray(powers)).prod(axis=1) for powers in exponents], axis=1)


def _dependent(scaled: Any) -> list[int]:
    """Columns that share in the smallest singular values, the clearest ones."""
    _, values, right = np.linalg.svd(scaled)
    tiny = values <= max(scaled.shape) * np.finfo(float).eps * values[0]
    empty = np.ones(scaled.shape[1], dtype=bool)
    empty[: len(values)] = tiny
    shares = (right[empty] ** 2).sum(axis=0)
    return [int(at) for at in (shares > 1e-6).nonzero()[0]]


def _named(exponents: list[tuple[int, ...]], places: Sequence[int]) -> str:
    names = [term(exponents[at]) for at in places]
    return ", ".join(names[:10]) + (" and more" if len(names) > 10 else "")
