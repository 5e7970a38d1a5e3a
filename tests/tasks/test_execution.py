"""Running a batch: every input gets its own answer, whatever its batch-mates do."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from tasks.base import TaskType
from tasks.execution import run_batch


class Halves(TaskType):
    """Halves even numbers; odd ones fail as the test wants."""

    name, endpoint = "halves", "/halves"

    class Input(BaseModel):
        n: int

    class Output(BaseModel):
        half: int

    def __init__(self) -> None:
        self.calls: list[int] = []

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        self.calls.append(len(inputs))
        return [self.answer(item.n) for item in inputs]

    def answer(self, n: int) -> Any:
        return self.Output(half=n // 2) if n % 2 == 0 else ValueError(f"{n} is odd")


class RaisingHalves(Halves):
    """The same, but an odd number brings its whole batch down."""

    def answer(self, n: int) -> Any:
        outcome = super().answer(n)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def inputs(*numbers: int) -> list[bytes]:
    """Canonical inputs."""
    return [json.dumps({"n": n}).encode() for n in numbers]


def bodies(task_type: TaskType, texts: Sequence[bytes]) -> list[Any]:
    """The parsed bodies of the answers."""
    return [json.loads(answer.body) for answer in run_batch(task_type, texts)]


def test_answers_echo_the_input() -> None:
    """The echoed fields, then the outputs, as one flat object."""
    (answer,) = run_batch(Halves(), inputs(4))
    assert (answer.done, answer.body) == (True, b'{"n":4,"half":2}')


def test_echo_is_what_the_type_says() -> None:
    """A long input need not come back."""
    silent = Halves()
    silent.echo = frozenset()
    assert bodies(silent, inputs(4, 3)) == [
        {"half": 2},
        {"error": {"code": "task-failed", "detail": "ValueError: 3 is odd"}},
    ]


@pytest.mark.parametrize("kind", [Halves, RaisingHalves])
def test_a_bad_input_fails_alone(kind: type[Halves]) -> None:
    """Whether it is returned or raised, the error is told to whoever asked for that input only."""
    answers = run_batch(kind(), inputs(2, 4, 5, 8, 10))
    assert [answer.done for answer in answers] == [True, True, False, True, True]
    assert json.loads(answers[2].body) == {
        "n": 5,
        "error": {"code": "task-failed", "detail": "ValueError: 5 is odd"},
    }


def test_a_batch_that_raises_is_halved() -> None:
    """The guilty input is found in a logarithmic number of runs."""
    task_type = RaisingHalves()
    run_batch(task_type, inputs(*range(0, 30, 2), 5))
    assert task_type.calls[:3] == [16, 8, 8]
    assert len(task_type.calls) <= 2 * 4 + 1


def test_an_input_that_this_worker_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """The server runs another version of the type: that input fails, the others run."""
    with caplog.at_level(logging.CRITICAL):
        first, second = bodies(Halves(), [b'{"n":"x"}', *inputs(4)])
    assert first["error"]["code"] == "invalid-input"
    assert second == {"n": 4, "half": 2}


def test_too_few_results_fail_the_batch() -> None:
    """Answers that cannot be told apart are not guessed at."""

    class Short(Halves):
        def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
            return list(super().run(inputs))[1:]

    (first, second) = bodies(Short(), inputs(2, 4))
    assert first["error"] == second["error"]
    assert "gave 1 results for 2 inputs" in first["error"]["detail"]


def test_an_output_of_the_wrong_form_fails() -> None:
    """A dict will do where it fits; anything else is an error that says so."""

    class Loose(Halves):
        def answer(self, n: int) -> Any:
            return {"half": 1} if n == 2 else {"third": 1}

    good, bad = bodies(Loose(), inputs(2, 4))
    assert good == {"n": 2, "half": 1}
    assert bad["error"]["code"] == "invalid-output"


def test_progress_counts_in_the_batch() -> None:
    """A report names the input's place in the batch, also after a split."""

    class Reporting(RaisingHalves):
        def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
            for index in range(len(inputs)):
                self.progress(index, 0.5, str(inputs[index].n))
            return super().run(inputs)

    task_type = Reporting()
    heard: set[tuple[int, str]] = set()
    task_type.report_progress = lambda index, _, message: heard.add((index, message))
    run_batch(task_type, inputs(2, 4, 5, 8))
    assert heard == {(0, "2"), (1, "4"), (2, "5"), (3, "8")}


def test_progress_without_a_listener() -> None:
    """Outside a worker a report goes nowhere."""
    Halves().progress(0, 0.5)


def test_empty_batch() -> None:
    """Nothing in, nothing out, nothing run."""
    task_type = Halves()
    assert run_batch(task_type, []) == []
    assert task_type.calls == []
