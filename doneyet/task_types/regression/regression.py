"""Regressions: fit one to data, predict with it, score it.

A fitted regression is the answer to its `/fit`: it is named by that task's id, the hash of its data
and settings, and kept as long as any answer.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from doneyet.task_types.base import TaskType
from doneyet.task_types.context import RunContext

if TYPE_CHECKING:
    from doneyet.task_types.regression.least_squares import Fitted

FIT = "regression-fit"
MOST_TERMS = 500
MOST_REMEMBERED = 256
"""Fitted regressions that a process keeps at hand."""

Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
"""No text and no truth value, which would be read as 1 where nobody meant it."""


def _columns(value: Any) -> Any:
    """A flat list is one variable: each number a row."""
    if isinstance(value, list) and value and not any(isinstance(one, list) for one in value):
        return [[one] for one in value]
    return value


Rows = Annotated[
    list[Annotated[list[Number], Field(min_length=1)]],
    BeforeValidator(_columns),
    Field(min_length=1, description="Rows of numbers; for one variable the numbers alone will do."),
]


def _check_rows(x: list[list[float]]) -> None:
    for at, row in enumerate(x):
        if len(row) != len(x[0]):
            raise ValueError(f"x[{at}] has {len(row)} numbers, and x[0] has {len(x[0])}")


def _check_lengths(x: list[list[float]], y: list[float]) -> None:
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows, and y has {len(y)} numbers")


class _FitInput(BaseModel):
    x: Rows
    y: list[Number] = Field(min_length=1, description="The target value of each row.")
    kind: Literal["multivariate", "polynomial"] = Field(
        "multivariate", description="`polynomial`: also powers and products of the variables."
    )
    degree: int | None = Field(
        None, ge=1, le=20, strict=True, description="Of a polynomial; default 2."
    )
    intercept: bool = Field(True, strict=True, description="Whether there is a constant term.")

    @model_validator(mode="after")
    def _fits_together(self) -> _FitInput:
        _check_rows(self.x)
        _check_lengths(self.x, self.y)
        if self.degree is not None and self.kind != "polynomial":
            raise ValueError("degree is for kind 'polynomial'")
        variables = len(self.x[0])
        terms = math.comb(variables + self.of_degree, self.of_degree) - 1
        if terms > MOST_TERMS:
            raise ValueError(
                f"{variables} variables of degree {self.of_degree} make {terms} terms; "
                f"{MOST_TERMS} are possible"
            )
        if len(self.x) < terms + self.intercept:
            raise ValueError(
                f"{terms + self.intercept} coefficients need as many rows, and x has {len(self.x)}"
            )
        return self

    @property
    def of_degree(self) -> int:
        """The highest power."""
        return 1 if self.kind == "multivariate" else self.degree or 2


class _PredictInput(BaseModel):
    model: str = Field(pattern=r"^[0-9a-f]{40}$", description="`fitted` of the answer of `/fit`.")
    x: Rows

    @model_validator(mode="after")
    def _fits_together(self) -> _PredictInput:
        _check_rows(self.x)
        return self


class _ScoreInput(_PredictInput):
    y: list[Number] = Field(min_length=1)

    @model_validator(mode="after")
    def _as_many(self) -> _ScoreInput:
        _check_lengths(self.x, self.y)
        return self


class Fit(TaskType):
    """Fits a multivariate or polynomial regression to data, by least squares."""

    name, endpoint = FIT, "/fit"
    example = {"x": [[0, 1], [1, 0], [2, 2], [3, 1]], "y": [1, 2, 5, 6]}
    echo = frozenset({"kind", "degree", "intercept"})
    timeout_s = 600.0
    Input = _FitInput

    class Term(BaseModel):
        term: str = Field(description="As in `x0`, `x0*x1`, `x0^2`.")
        value: float
        powers: list[int] = Field(description="The power of each variable.")

    class Basis(BaseModel):
        centre: list[float]
        scale: list[float]
        constant: float
        coefficients: list[float] = Field(description="Of the same terms, in the same order.")

    class Output(BaseModel):
        fitted: str = Field(
            description="The model's name for `/predict` and `/score`: this task's id."
        )
        constant: float = Field(description="0 where there is no intercept.")
        coefficients: list[Fit.Term]
        basis: Fit.Basis = Field(
            description="The same polynomial, of (x - centre) / scale. Predictions are computed "
            "of it, since powers of large numbers that differ little round to the same."
        )
        r2: float | None = Field(description="R^2 on these data; null where y does not vary.")
        rmse: float = Field(description="The root of the mean squared difference.")
        rows: int

    def load(self) -> None:
        from doneyet.task_types.regression import least_squares, polynomial

        self._math, self._terms = least_squares, polynomial

    def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:
        return [self._fit(*each) for each in zip(inputs, context.task_ids, strict=True)]

    def _fit(self, item: _FitInput, task_id: str) -> Any:
        exponents = self._terms.exponents_up_to(len(item.x[0]), item.of_degree)
        try:
            fitted = self._math.fit(item.x, item.y, exponents, intercept=item.intercept)
            constant, values = self._math.in_terms_of_x(fitted)
            r2, rmse = self._math.quality(self._math.predict(fitted, item.x), item.y)
        except ValueError as error:
            return error
        return {
            "fitted": task_id,
            "constant": constant,
            "coefficients": [
                {"term": self._terms.term(powers), "value": value, "powers": powers}
                for value, powers in zip(values, exponents, strict=True)
            ],
            "basis": {
                "centre": fitted.centre,
                "scale": fitted.scale,
                "constant": fitted.constant,
                "coefficients": fitted.coefficients,
            },
            "r2": r2,
            "rmse": rmse,
            "rows": len(item.y),
        }


class _WithModel(TaskType, ABC):
    """What needs a fitted regression."""

    echo = frozenset({"model"})

    def load(self) -> None:
        from doneyet.task_types.regression import least_squares

        self._math = least_squares
        self._known: OrderedDict[str, Fitted] = OrderedDict()

    def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:
        answers: list[Any] = []
        for item in inputs:
            try:
                answers.append(self.answer(item, self._predicted(item, context)))
            except ValueError as error:
                answers.append(error)
        return answers

    @abstractmethod
    def answer(self, item: Any, predicted: Any) -> Any:
        """The output, from what the regression says of `item.x`: (rows,) float64."""

    def _predicted(self, item: _PredictInput, context: RunContext) -> Any:
        fitted = self._fitted(item.model, context)
        variables = len(fitted.exponents[0])
        if len(item.x[0]) != variables:
            raise ValueError(
                f"rows of x have {len(item.x[0])} numbers, and the model has {variables} variables"
            )
        return self._math.predict(fitted, item.x)

    def _fitted(self, name: str, context: RunContext) -> Fitted:
        if name not in self._known:
            answer = context.recall(FIT, name)
            if answer is None:
                raise ValueError(
                    f"there is no fitted model {name}, which is kept for {self.result_ttl_s:g} s: "
                    "POST its data to /fit; when that is done, submit again with Cache-Control: "
                    f"no-cache, or {self.failure_ttl_s:g} s later"
                )
            self._known[name] = self._math.Fitted(
                exponents=[tuple(each["powers"]) for each in answer["coefficients"]],
                **answer["basis"],
            )
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return self._known[name]


class Predict(_WithModel):
    """Predicts with a fitted regression."""

    name, endpoint = "regression-predict", "/predict"
    Input = _PredictInput

    class Output(BaseModel):
        y: list[float]

    def answer(self, item: Any, predicted: Any) -> Any:
        return {"y": predicted.tolist()}


class Score(_WithModel):
    """Tells how well a fitted regression predicts data."""

    name, endpoint = "regression-score", "/score"
    Input = _ScoreInput

    class Output(BaseModel):
        r2: float | None = Field(description="R^2; null where y does not vary.")
        rmse: float = Field(description="The root of the mean squared difference.")
        rows: int

    def answer(self, item: Any, predicted: Any) -> Any:
        r2, rmse = self._math.quality(predicted, item.y)
        return {"r2": r2, "rmse": rmse, "rows": len(item.y)}
