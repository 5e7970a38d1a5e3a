"""Factorization: right answers, and inputs that are refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from doneyet.task_types.factorization import Factorization
from tests.stopwatch import Stopwatch

PRIMES_OF_20_DIGITS = (10000000000000000051, 99999999999999999989)


@pytest.fixture(scope="module")
def factorization() -> Factorization:
    """The task type, loaded."""
    task_type = Factorization()
    task_type.load()
    return task_type


def factors(task_type: Factorization, number: int) -> Factorization.Output:
    """The answer for one number."""
    (output,) = task_type.run([Factorization.Input(number=number)])
    return output


def test_example(factorization: Factorization) -> None:
    """The number of the README."""
    output = factors(factorization, 408216)
    assert output.factorization == [(2, 3), (3, 1), (73, 1), (233, 1)]
    assert output.factorization_str == "2^3 3^1 73^1 233^1"


@settings(deadline=None, max_examples=50)
@given(st.integers(min_value=2, max_value=10**24))
def test_factors_multiply_back(number: int) -> None:
    """Ascending primes whose powers multiply to the number."""
    task_type = Factorization()
    task_type.load()
    pairs = factors(task_type, number).factorization
    assert math.prod(prime**exponent for prime, exponent in pairs) == number
    assert [prime for prime, _ in pairs] == sorted({prime for prime, _ in pairs})
    assert all(len(factors(task_type, prime).factorization) == 1 for prime, _ in pairs)


def test_product_of_two_large_primes_is_quick(factorization: Factorization) -> None:
    """Two 20-digit primes take far less than a second."""
    p, q = PRIMES_OF_20_DIGITS
    watch = Stopwatch()
    assert factors(factorization, p * q).factorization == [(p, 1), (q, 1)]
    assert watch.within_s(2), watch


@pytest.mark.parametrize("number", [408216, "408216", 10**100 - 1, str(10**100 - 1), 2])
def test_good_inputs(number: int | str) -> None:
    """Whole numbers from 2 up to 10^100, as integers or as strings of digits."""
    assert Factorization.Input.model_validate({"number": number}).number == int(number)


@pytest.mark.parametrize(
    "number", [1, 0, -5, 10**100, 1.5, "1.5", "0x10", "", "ten", None, [7], {"n": 7}]
)
def test_bad_inputs(number: object) -> None:
    """Everything else is refused."""
    with pytest.raises(ValidationError):
        Factorization.Input.model_validate({"number": number})


@pytest.mark.parametrize("number", [True, 5.0, " 7", "7_0", "+7", "007"])
def test_what_is_no_decimal_integer_is_refused(number: object) -> None:
    """Nothing is guessed: a JSON integer or plain decimal digits."""
    with pytest.raises(ValidationError):
        Factorization.Input.model_validate({"number": number})


def test_equal_inputs_have_one_id() -> None:
    """A number and its decimal string are the same task; another number, type or version is not."""
    task_type = Factorization()

    def task_id(number: int | str) -> str:
        item = Factorization.Input.model_validate({"number": number})
        return task_type.task_id(task_type.canonical(item))

    assert task_id(408216) == task_id("408216") != task_id(408217)
    before = task_id(408216)
    task_type.version = "2"
    assert task_id(408216) != before
