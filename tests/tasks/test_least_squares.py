"""The mathematics of regressions, against numpy's own and against exact data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.least_squares import (
    DependentTermsError,
    Fitted,
    exponents_up_to,
    fit,
    predict,
    quality,
    term,
)

SEEDS = st.integers(0, 10_000)


def test_terms_are_named() -> None:
    """As a person writes them."""
    assert [term(powers) for powers in exponents_up_to(2, 2)] == [
        *("x0", "x1", "x0^2", "x0*x1", "x1^2")
    ]


@given(SEEDS, st.integers(1, 4), st.floats(1e-6, 1e6), st.booleans())
def test_exact_data_give_the_exact_coefficients(
    seed: int, variables: int, scale: float, intercept: bool
) -> None:
    """Whatever the units."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(30, variables)) * scale
    coefficients = random.normal(size=variables)
    constant = random.normal() * intercept
    y = x @ coefficients + constant
    fitted = fit(x.tolist(), y.tolist(), exponents_up_to(variables, 1), intercept=intercept)
    assert fitted.coefficients == pytest.approx(coefficients.tolist(), rel=1e-6, abs=1e-9 / scale)
    assert fitted.intercept == pytest.approx(constant, abs=1e-8 * max(1, scale))


@given(SEEDS, st.integers(1, 5))
def test_polynomials_are_those_of_numpy(seed: int, degree: int) -> None:
    """Of one variable, with noise."""
    random = np.random.default_rng(seed)
    x, noise = random.uniform(-2, 2, size=40), random.normal(size=40)
    y = np.polynomial.Polynomial(random.normal(size=degree + 1))(x) + noise
    fitted = fit(x[:, None].tolist(), y.tolist(), exponents_up_to(1, degree), intercept=True)
    theirs = np.polynomial.Polynomial.fit(x, y, degree).convert().coef
    assert [fitted.intercept, *fitted.coefficients] == pytest.approx(theirs.tolist(), rel=1e-6)


@given(SEEDS)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    """But for rounding."""
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(20, 3)), random.normal(size=20)
    order = random.permutation(20)
    terms = exponents_up_to(3, 1)
    one = fit(x.tolist(), y.tolist(), terms, intercept=True)
    other = fit(x[order].tolist(), y[order].tolist(), terms, intercept=True)
    assert one.coefficients == pytest.approx(other.coefficients, rel=1e-9)


def test_dependent_terms_are_named() -> None:
    """And the innocent one is not."""
    x = [[a, b, 2 * a] for a, b in [(1, 5), (2, 1), (3, 7), (4, 2), (5, 9)]]
    with pytest.raises(DependentTermsError, match=r"from others: x0, x2; ") as raised:
        fit(x, [1, 2, 3, 4, 5], exponents_up_to(3, 1), intercept=True)
    assert "x1" not in str(raised.value)


def test_a_constant_variable_is_named() -> None:
    """It cannot be told from the intercept; without one it is a variable like any other."""
    x = [[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]]
    with pytest.raises(DependentTermsError, match="the same in every row: x1;"):
        fit(x, [1, 2, 3], exponents_up_to(2, 1), intercept=True)
    fitted = fit(x, [8, 9, 10], exponents_up_to(2, 1), intercept=False)
    assert fitted.coefficients == pytest.approx([1, 1])


def test_numbers_too_large_for_a_power() -> None:
    """Infinity is no coefficient."""
    with pytest.raises(ValueError, match="scale them down"):
        fit([[1e200], [2e200], [3e200]], [1, 2, 3], exponents_up_to(1, 2), intercept=True)


def test_quality() -> None:
    """R^2 as one minus what is left of the variance; what does not vary has none."""
    fitted = Fitted(0.0, [1.0], [(1,)])
    predicted = predict(fitted, [[1.0], [2.0], [3.0]])
    assert quality(predicted, [1.0, 2.0, 3.0]) == (1.0, 0.0)
    r2, rmse = quality(predicted, [2.0, 2.0, 2.0])
    assert r2 is None
    assert rmse == pytest.approx((2 / 3) ** 0.5)
    assert quality(predicted, [3.0, 2.0, 1.0])[0] == pytest.approx(-3)
