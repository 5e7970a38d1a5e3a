"""Prime factorization, the first example of a task type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from tasks.base import TaskType


class Factorization(TaskType):
    """Factors a whole number into primes."""

    name, endpoint, version = "factorization", "/factorize", "1"
    example = {"number": 408216}
    timeout_s = 600.0  # a product of two 50-digit primes would keep a process for hours

    class Input(BaseModel):
        number: int = Field(
            ge=2,
            lt=10**100,
            description="A whole number from 2 up to 10^100, as a JSON integer or, since JavaScript "
            "rounds integers above 2^53, as a string of decimal digits.",
        )

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
