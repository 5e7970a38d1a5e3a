"""Prime factorization, the first example of a task type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from doneyet.task_types.base import TaskType
from doneyet.task_types.schemas.model_traits import stable

SMALLEST, END = 2, 10**100
_DIGITS = r"[1-9][0-9]{0,99}"


@stable
def _from_digits(value: Any) -> Any:
    """A string of decimal digits as the number it is; anything but that and an integer is refused.

    Raises:
        ValueError: something else, so that nothing is guessed (`true`, `5.0`, `" 7"`, `"007"`).
    """
    if isinstance(value, str) and re.fullmatch(_DIGITS, value, re.ASCII):
        return int(value)
    if type(value) is int:
        return value
    raise ValueError(
        "must be a whole number from 2 up to 10^100, as an integer or a string of decimal digits"
    )


WholeNumber = Annotated[
    int,
    Field(ge=SMALLEST),  # before the function, so that pydantic checks it in C
    BeforeValidator(_from_digits),
    Field(lt=END),
    WithJsonSchema(
        {
            "description": "A whole number from 2 up to 10^100, as a JSON integer or, since "
            "JavaScript rounds integers above 2^53, as a string of decimal digits.",
            "anyOf": [
                {"type": "integer", "minimum": SMALLEST, "exclusiveMaximum": END},
                {"type": "string", "pattern": f"^(?!1$){_DIGITS}$"},
            ],
        }
    ),
]


class Factorization(TaskType):
    """Factors a whole number into primes."""

    name, endpoint, version = "factorization", "/factorize", "1"
    example = {"number": 408216}
    timeout_s = 600.0  # a product of two 50-digit primes would keep a process for hours

    class Input(BaseModel):
        number: WholeNumber

    class Output(BaseModel):
        factorization: list[tuple[int, int]] = Field(
            description="Pairs of a prime and its exponent, in ascending order of the primes."
        )
        factorization_str: str = Field(description="The same as text: `2^3 3^1 73^1 233^1`.")

    def load(self) -> None:
        import flint

        self._integer = flint.fmpz

    def run(self, inputs: Sequence[Any]) -> Sequence[Output]:
        return [self._factor(item.number) for item in inputs]

    def _factor(self, number: int) -> Output:
        factors = sorted((int(p), int(e)) for p, e in self._integer(number).factor())
        text = " ".join(f"{p}^{e}" for p, e in factors)
        return self.Output(factorization=factors, factorization_str=text)
