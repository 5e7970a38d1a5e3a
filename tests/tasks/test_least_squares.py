"""The mathematics of regressions, against numpy's own and against exact data."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doneyet.task_types.regression.least_squares import (
    DependentTermsError,
    Fitted,
    fit,
    in_terms_of_x,
    predict,
    quality,
)
from doneyet.task_types.regression.polynomial import expanded, exponents_up_to, term, values

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
    found, others = in_terms_of_x(fitted)
    assert others == pytest.approx(coefficients.tolist(), rel=1e-6, abs=1e-9 / scale)
    assert found == pytest.approx(constant, abs=1e-8 * max(1, scale))


@given(SEEDS, st.integers(1, 5))
def test_polynomials_are_those_of_numpy(seed: int, degree: int) -> None:
    """Of one variable, with noise."""
    random = np.random.default_rng(seed)
    x, noise = random.uniform(-2, 2, size=40), random.normal(size=40)
    y = np.polynomial.Polynomial(random.normal(size=degree + 1))(x) + noise
    fitted = fit(x[:, None].tolist(), y.tolist(), exponents_up_to(1, degree), intercept=True)
    theirs = np.polynomial.Polynomial.fit(x, y, degree).convert().coef
    constant, others = in_terms_of_x(fitted)
    assert [constant, *others] == pytest.approx(theirs.tolist(), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(("start", "step"), [(1990, 1), (1.7e9, 86400), (-4e-7, 1e-8)])
def test_data_far_from_zero_are_fitted_as_well(start: float, step: float, degree: int) -> None:
    """Years, and seconds since 1970: powers of the numbers themselves round to nearly the same."""
    random = np.random.default_rng(degree)
    x = start + step * np.arange(31)
    y = np.polynomial.Polynomial(random.normal(size=degree + 1))(np.linspace(-1, 1, 31))
    y += random.normal(size=31) * 0.01
    rows = x[:, None].tolist()
    fitted = fit(rows, y.tolist(), exponents_up_to(1, degree), intercept=True)
    theirs = np.polynomial.Polynomial.fit(x, y, degree)
    assert predict(fitted, rows) == pytest.approx(theirs(x), abs=1e-9)
    constant, others = in_terms_of_x(fitted)
    for at, said in zip(x.tolist(), predict(fitted, rows), strict=True):
        exact = sum(
            Fraction(each) * Fraction(at) ** (power + 1) for power, each in enumerate(others)
        )
        rounded = sum(abs(each * at ** (power + 1)) for power, each in enumerate(others))
        assert float(exact + Fraction(constant)) == pytest.approx(said, abs=1e-15 * rounded + 1e-9)


@given(SEEDS, st.integers(1, 3), st.integers(1, 4), st.integers(-40, 40), st.booleans())
def test_the_unit_of_numbers_does_not_matter(
    seed: int, variables: int, degree: int, unit: int, intercept: bool
) -> None:
    """To a bit, where the unit is a power of two."""
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(50, variables)) + 1, random.normal(size=50)
    terms, factor = exponents_up_to(variables, degree), 2.0**unit
    one = fit(x.tolist(), y.tolist(), terms, intercept=intercept)
    other = fit((x * factor).tolist(), (y * factor).tolist(), terms, intercept=intercept)
    assert [each * factor for each in one.coefficients] == other.coefficients
    assert (predict(one, x.tolist()) * factor == predict(other, (x * factor).tolist())).all()


@given(SEEDS, st.integers(1, 3), st.integers(1, 4))
def test_a_polynomial_expanded_says_the_same(seed: int, variables: int, degree: int) -> None:
    """Of (x - centre) / scale, and of x."""
    random = np.random.default_rng(seed)
    terms = exponents_up_to(variables, degree)
    coefficients, x = random.normal(size=len(terms)), random.normal(size=(20, variables))
    centre, scale = random.normal(size=variables), np.exp2(random.integers(-2, 3, size=variables))
    constant, others = expanded(terms, coefficients.tolist(), centre.tolist(), scale.tolist())
    moved = values((x - centre) / scale, terms) @ coefficients
    assert constant + values(x, terms) @ others == pytest.approx(moved, rel=1e-7, abs=1e-7)


@given(SEEDS)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    """But for rounding."""
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(20, 3)), random.normal(size=20)
    order = random.permutation(20)
    terms = exponents_up_to(3, 1)
    one = fit(x.tolist(), y.tolist(), terms, intercept=True)
    other = fit(x[order].tolist(), y[order].tolist(), terms, intercept=True)
    assert one.coefficients == pytest.approx(other.coefficients, rel=1e-9, abs=1e-12)


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
    constant, others = in_terms_of_x(fitted)
    assert others == pytest.approx([1, 1])
    assert constant == 0


def test_a_variable_that_is_nearly_constant() -> None:
    """By a rounding of itself it is as good as constant; by more it is a variable."""
    x = [[1e9 + at * 1e-7] for at in range(4)]
    with pytest.raises(DependentTermsError):
        fit(x, [1, 2, 3, 4], exponents_up_to(1, 3), intercept=True)
    fitted = fit([[1e9 + at * 1e-3] for at in range(4)], [1, 2, 3, 4], [(1,)], intercept=True)
    assert in_terms_of_x(fitted)[1] == pytest.approx([1000], rel=1e-3)


def test_numbers_too_large_for_a_power() -> None:
    """They are fitted; but the coefficient of a square has no number, and infinity is none."""
    fitted = fit([[1e200], [2e200], [4e200]], [1, 2, 3], exponents_up_to(1, 2), intercept=True)
    assert predict(fitted, [[2e200]]) == pytest.approx([2])
    with pytest.raises(ValueError, match="nearer to 1"):
        in_terms_of_x(fitted)
    with pytest.raises(ValueError, match="these x is too large"):
        predict(Fitted(exponents_up_to(1, 2), [0.0], [1.0], 0.0, [0.0, 1.0]), [[1e200]])


def test_the_largest_numbers() -> None:
    """Sums and squares on the way to an answer that is a number are numbers, too."""
    x, y = [[-1.7e308], [0.0], [1.7e308]], [-1.7e308, 0.0, 1.7e308]
    fitted = fit(x, y, exponents_up_to(1, 1), intercept=True)
    assert in_terms_of_x(fitted)[1] == pytest.approx([1])
    r2, rmse = quality(predict(fitted, x), y)
    assert r2 == pytest.approx(1)
    assert rmse <= 1e294
    with pytest.raises(ValueError, match="too far apart"):
        quality(np.asarray([1.7e308, 0.0]), [-1.7e308, 0.0])


def test_many_predictions_are_made_in_parts() -> None:
    """So that memory is bounded; each is what it is alone."""
    random = np.random.default_rng(1)
    terms = exponents_up_to(4, 8)
    fitted = Fitted(terms, [0.0] * 4, [1.0] * 4, 1.0, random.normal(size=len(terms)).tolist())
    x = random.normal(size=(5000, 4)).tolist()
    together = predict(fitted, x)
    for at in (0, 2019, 2020, 2021, 4999):
        assert predict(fitted, [x[at]])[0] == pytest.approx(together[at], rel=1e-9)


def test_quality() -> None:
    """R^2 as one minus what is left of the variance; what does not vary has none."""
    fitted = Fitted([(1,)], [0.0], [1.0], 0.0, [1.0])
    predicted = predict(fitted, [[1.0], [2.0], [3.0]])
    assert quality(predicted, [1.0, 2.0, 3.0]) == (1.0, 0.0)
    r2, rmse = quality(predicted, [2.0, 2.0, 2.0])
    assert r2 is None
    assert rmse == pytest.approx((2 / 3) ** 0.5)
    assert quality(predicted, [3.0, 2.0, 1.0])[0] == pytest.approx(-3)


def test_results_beyond_double_precision_say_so() -> None:
    """A constant, and a variance that rounds to nothing, as all other numbers do."""
    exponents = exponents_up_to(1, 1)
    fitted = fit([[7.0], [1.0]], [1.0, -1.7e308], exponents, intercept=True)
    with pytest.raises(ValueError, match="constant is too large for double precision"):
        in_terms_of_x(fitted)
    with pytest.raises(ValueError, match="varies by less than double precision"):
        quality(np.zeros(4), [5e-324, 0.0, 5e-324, 5e-324])
