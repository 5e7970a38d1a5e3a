"""Least squares: the regression that is nearest to data, what it predicts, and how good it is.

With an intercept each variable is moved to the middle of its range first, and always divided by a
power of two, which rounds nothing. Powers are taken of that: those of years, or of seconds since
1970, would differ by less than their rounding. The columns are then centred and scaled, and solved
for by their singular values (LAPACK's `gelsd`, through numpy).

Terms depend on each other where a singular value is so small that rounding alone may have made it:
below `eps` of the largest one, times the number of rows, or times the number of terms and how much
larger the data are than what they vary by (Golub & Van Loan, Matrix Computations, 4th ed., sections
5.4.1 and 5.5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from doneyet.task_types.regression.polynomial import Exponents, expanded, term, values

_BLOCK = 1_000_000  # numbers that a prediction makes at once: 8 MB
_EPS = float(np.finfo(float).eps)


class Fitted(NamedTuple):
    """A regression's result: `constant`, and a coefficient per term of (x - centre) / scale."""

    exponents: Exponents
    centre: list[float]
    scale: list[float]
    constant: float
    coefficients: list[float]


class DependentTermsError(ValueError):
    """Raised when data cannot tell some terms from others; names them."""


def fit(
    x: Sequence[Sequence[float]], y: Sequence[float], exponents: Exponents, *, intercept: bool
) -> Fitted:
    """The regression with the least sum of squared differences from `y`.

    Args:
        x: (rows, variables), finite.
        y: (rows,), finite.
        exponents: the terms.
        intercept: whether there is a constant term, too.

    Raises:
        DependentTermsError: a term is a combination of others, or constant beside an intercept.
        ValueError: the numbers are too large for double precision.
    """
    data, wanted = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    centre, scale, rounding = _frame(data, shift=intercept)
    terms = values((data - centre) / scale, exponents)
    rounding = max(len(wanted) * _EPS, len(exponents) * rounding)
    middle = terms.mean(axis=0) if intercept else np.zeros(terms.shape[1])
    size = np.abs(terms - middle).max(axis=0)
    size[size <= rounding * np.abs(terms).max(axis=0)] = 1.0  # else its rounding would be scaled up
    columns = (terms - middle) / size
    unit = float(_powers_of_two(np.abs(wanted).max()))
    level = float((wanted / unit).mean()) if intercept else 0.0
    # LAPACK takes a limit of 1 or more for none at all.
    limit = min(rounding, 0.5)
    solved, _, rank, _ = np.linalg.lstsq(columns, wanted / unit - level, rcond=limit)
    if rank < columns.shape[1]:
        names = [term(exponents[at]) for at in _dependent(columns, int(rank))]
        raise DependentTermsError(
            f"the data cannot tell these terms from others: {_listed(names)}; leave variables out, "
            "add rows, or choose a lower degree"
        )
    coefficients = [float(value) * unit for value in solved / size]
    constant = (level - float(middle @ (solved / size))) * unit
    if not all(map(math.isfinite, [constant, *coefficients])):
        raise ValueError("the numbers are too large for double precision; scale them down")
    return Fitted(exponents, centre.tolist(), scale.tolist(), constant, coefficients)


def in_terms_of_x(fitted: Fitted) -> tuple[float, list[float]]:
    """The constant and the coefficients of the terms of x itself.

    Raises:
        ValueError: double precision has no such numbers.
    """
    constant, coefficients = expanded(
        fitted.exponents, fitted.coefficients, fitted.centre, fitted.scale
    )
    constant += fitted.constant
    if not math.isfinite(constant):
        raise ValueError("the constant is too large for double precision; scale the numbers down")
    return constant, coefficients


def predict(fitted: Fitted, x: Sequence[Sequence[float]]) -> Any:
    """What the regression says for each row of `x`: (rows,) float64, finite.

    Raises:
        ValueError: it says something too large for double precision.
    """
    data, coefficients = np.asarray(x, dtype=float), np.asarray(fitted.coefficients)
    predicted = np.empty(len(data))
    rows = max(1, _BLOCK // len(coefficients))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(data), rows):
            scaled = (data[start : start + rows] - fitted.centre) / fitted.scale
            predicted[start : start + rows] = values(scaled, fitted.exponents) @ coefficients
        predicted += fitted.constant
    if not np.isfinite(predicted).all():
        raise ValueError("what the model says of these x is too large for double precision")
    return predicted


def quality(predicted: Any, y: Sequence[float]) -> tuple[float | None, float]:
    """R^2 and the root of the mean squared difference.

    R^2 is one minus the share of the variance that is left; None where `y` does not vary.

    Raises:
        ValueError: double precision has no such numbers.
    """
    wanted = np.asarray(y, dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):
        rmse = _rms(wanted - predicted)
        unit = float(_powers_of_two(np.abs(wanted).max()))
        varies = _rms(wanted - (wanted / unit).mean() * unit)
    # Asked of the numbers themselves: the rounding of their mean would make a variance of none.
    share = None
    if wanted.min() < wanted.max():
        if varies == 0:
            raise ValueError("y varies by less than double precision has; scale the numbers up")
        share = rmse / varies
    r2 = None if share is None else 1 - share * share
    if not math.isfinite(rmse) or (r2 is not None and not math.isfinite(r2)):
        raise ValueError("predictions and y are too far apart for double precision")
    return r2, rmse


def _frame(data: Any, *, shift: bool) -> tuple[Any, Any, float]:
    """Each variable's centre and scale, and how large the data's rounding is beside a scale."""
    centre = data.min(axis=0) / 2 + data.max(axis=0) / 2 if shift else np.zeros(data.shape[1])
    spread = np.abs(data - centre).max(axis=0)
    if not spread.all():
        idle = [f"x{at}" for at in (spread == 0).nonzero()[0]]
        raise DependentTermsError(
            f"these variables are {'the same' if shift else '0'} in every row: {_listed(idle)}; "
            "leave them out"
        )
    scale = _powers_of_two(spread)
    return centre, scale, _EPS * float((np.abs(data).max(axis=0) / scale).max())


def _dependent(columns: Any, rank: int) -> list[int]:
    """Columns that have a part in a combination which is nothing but rounding, the clearest."""
    _, _, right = np.linalg.svd(np.linalg.qr(columns, mode="r"))
    shares = (right[rank:] ** 2).sum(axis=0)
    return [int(at) for at in (shares > 1e-6).nonzero()[0]]


def _powers_of_two(numbers: Any) -> Any:
    """The power of two above each of `numbers`, which are not negative; 1 for 0."""
    _, exponents = np.frexp(numbers)
    return np.ldexp(1.0, np.minimum(exponents, 1023))  # the largest that there is


def _rms(numbers: Any) -> float:
    """The root of the mean square, also where squares alone would be too large or too small."""
    most = float(np.abs(numbers).max())
    return most * float(np.sqrt(np.mean((numbers / most) ** 2))) if most > 0 else 0.0


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (" and more" if len(names) > 10 else "")
