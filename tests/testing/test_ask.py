"""`doneyet.testing.ask`: the answer, or the error, that a client gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, Field

from doneyet import ClientError, InvalidInputError, Job, ProblemError, RunContext, TaskFailedError
from doneyet.task_types import TaskType, TaskTypeError
from doneyet.task_types.loading import NotLoadedError
from doneyet.testing import SystemInProcess, ask, ask_all


class Iris(TaskType):
    """Tells flowers apart, if it has learnt to."""

    name, endpoint = "iris", "/iris"
    max_batch_size = 3

    class Input(BaseModel):
        features: list[float] = Field(min_length=2, max_length=2)
        moment: Any = None

    class Output(BaseModel):
        species: str
        together: int

    def __init__(self) -> None:
        self.loads = 0

    def load(self) -> None:
        self.loads += 1

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        if any(item.features[0] == 13 for item in inputs):
            raise RuntimeError("thirteen")
        return [
            ValueError("no such flower")
            if item.features[0] < 0
            else {"species": "setosa", "together": len(inputs) + 10 * self.loads}
            for item in inputs
        ]

    def cost(self, item: Any) -> Any:
        return "dear" if item.features[0] == 99 else 1


def test_an_answer_is_what_a_client_gets() -> None:
    """Echo, outputs, state; the type is loaded once."""
    first, second = ask(Iris, features=[1, 2]), ask(Iris, {"features": [1, 2]})
    assert first == second
    assert first == {
        "features": [1.0, 2.0],
        "moment": None,
        "species": "setosa",
        "together": 11,
        "done": True,
        "load": 0,
        "id": first["id"],
        "status": "done",
    }


def test_many_inputs_run_in_batches() -> None:
    """Of `max_batch_size`; each has its own outcome."""
    good = [{"features": [n, 0]} for n in range(4)]
    outcomes = ask_all(Iris, [good[0], {"features": [1]}, *good[1:], {"features": [-1, 0]}])
    together = [each["together"] if isinstance(each, dict) else type(each) for each in outcomes]
    assert together == [13, InvalidInputError, 13, 13, 12, TaskFailedError]


ASKED: dict[str, dict[str, Any]] = {
    "missing": {},
    "too short": {"features": [1]},
    "unknown": {"features": [1, 2], "colour": "red"},
    "failing": {"features": [-1, 2]},
    "raising": {"features": [13, 2]},
    "priceless": {"features": [99, 2]},
    "right": {"features": [1, 2], "moment": {"a": [1]}},
}


def test_outcomes_are_those_of_a_client() -> None:
    """The same class, message, code and answer as over HTTP, Redis and a worker."""

    def outcome_of(asking: Callable[[], dict[str, Any]]) -> Any:
        try:
            return asking()
        except TaskFailedError as error:
            return error.code, str(error), error.answer
        except ProblemError as error:
            return type(error), str(error), error.status
        except ClientError as error:
            return error

    with SystemInProcess(Iris) as system:
        for name, fields in ASKED.items():
            here = outcome_of(partial(ask, Iris, **fields))
            there = outcome_of(partial(system.client.run, "iris", **fields))
            assert here == there, name


def test_what_json_cannot_carry_is_refused() -> None:
    """As by the client, before anything runs."""
    with pytest.raises(ValueError, match="features"):
        ask(Iris, features=[float("nan"), 1])
    with pytest.raises(TypeError, match="moment"):
        ask(Iris, features=[1, 1], moment={1, 2})


def test_a_type_that_cannot_be_served_cannot_be_asked() -> None:
    """The checks of a program's start are those of a test."""

    class Unnamed(Iris):
        endpoint = "iris"

    class Unloadable(Iris):
        name = "unloadable"

        def load(self) -> None:
            raise OSError("the weights are not there")

    class Waiting(Job):
        name, endpoint = "waiting", "/waiting"

    with pytest.raises(TaskTypeError, match="endpoint must look like"):
        ask(Unnamed, features=[1, 2])
    with pytest.raises(NotLoadedError, match="weights are not there"):
        ask(Unloadable, features=[1, 2])
    with pytest.raises(TypeError, match="Waiting is a Job"):
        ask(Waiting)


def test_a_run_has_a_context() -> None:
    """Its tasks have ids, and progress goes nowhere."""

    class Looking(Iris):
        name = "looking"

        def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:  # type: ignore[override]
            context.progress(0, 0.5)
            return [{"species": context.task_ids[0], "together": 1}]

    answer = ask(Looking, features=[1, 2])
    assert answer["species"] == answer["id"]
