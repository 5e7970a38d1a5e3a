"""Running a batch: every input gets its own answer, whatever its batch-mates do."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, field_serializer

from doneyet.task_types.base import TaskType
from doneyet.task_types.context import Host, RunContext
from doneyet.task_types.run_batch import run_batch
from doneyet.task_types.schemas.parse_input import InvalidInputError, asked


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
        first, newer, second = bodies(Halves(), [b'{"n":"x"}', b'{"digits":3,"n":6}', *inputs(4)])
    assert first["error"]["code"] == newer["error"]["code"] == "invalid-input"
    assert "digits" in newer["error"]["detail"], "an answer without it would be another input's"
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
    """A report is of the task whose input it names, also after a split."""
    heard: set[tuple[str, str, str]] = set()
    host = Host(report=lambda kind, task_id, _, message: heard.add((kind, task_id, message)))
    run_batch(Reporting(), inputs(2, 4, 5, 8), ["two", "four", "five", "eight"], host)
    assert heard == {
        ("halves", *each) for each in (("two", "2"), ("four", "4"), ("five", "5"), ("eight", "8"))
    }


class Reporting(RaisingHalves):
    """Tells of each input what it is."""

    def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:  # type: ignore[override]
        for index in range(len(inputs)):
            context.progress(index, 0.5, str(inputs[index].n))
        return super().run(inputs)


def test_progress_without_a_listener() -> None:
    """Outside a worker a report goes nowhere, and so does one of no input."""
    run_batch(Reporting(), inputs(2))
    context = RunContext(["a"], "halves", Host(report=lambda *_: pytest.fail("nobody is there")))
    for nowhere in (1, -1, "first", None):
        context.progress(nowhere, 0.5)  # type: ignore[arg-type]


def test_a_report_after_the_run_is_ignored() -> None:
    """A handler may leave threads behind."""
    kept: list[RunContext] = []

    class Keeping(Halves):
        def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:  # type: ignore[override]
            kept.append(context)
            context.progress(0, 0.5)
            return super().run(inputs)

    heard: list[str] = []
    host = Host(report=lambda _, task_id, *__: heard.append(task_id))
    run_batch(Keeping(), inputs(2), ["two"], host)
    kept[0].progress(0, 0.9)
    assert heard == ["two"]


def test_a_run_with_a_context_gets_the_ids_of_its_tasks() -> None:
    """Of those of its inputs, also after a split; and recalls other answers."""
    seen: list[tuple[Sequence[str], Any]] = []

    class Looking(RaisingHalves):
        def run(self, inputs: Sequence[Any], _context: RunContext) -> Sequence[Any]:  # type: ignore[override]
            seen.append((_context.task_ids, _context.recall("other", "0" * 40)))
            return super().run(inputs)

    host = Host(recall=lambda name, task_id: {"of": name})
    run_batch(Looking(), inputs(2, 5), ["two", "five"], host)
    assert [ids for ids, _ in seen] == [["two", "five"], ["two"], ["five"]]
    assert seen[0][1] == {"of": "other"}
    run_batch(Looking(), inputs(2))
    assert seen[-1] == ([Looking().task_id(inputs(2)[0])], None)


def test_empty_batch() -> None:
    """Nothing in, nothing out, nothing run."""
    task_type = Halves()
    assert run_batch(task_type, []) == []
    assert task_type.calls == []


class Numbers(TaskType):
    """Gives what the test wants as its numbers."""

    name, endpoint = "numbers", "/numbers"

    class Input(BaseModel):
        n: float

    class Output(BaseModel):
        mean: float | None = None
        series: list[float] = []
        anything: Any = None
        nested: dict[str, list[dict[str, float]]] = {}

    def __init__(self, *outputs: dict[str, Any]) -> None:
        self.outputs = outputs

    def run(self, inputs: Sequence[Any]) -> Sequence[Any]:
        return [self.outputs[int(item.n)] for item in inputs]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf], ids=str)
@pytest.mark.parametrize(
    ("place", "output"),
    [
        ("mean", lambda number: {"mean": number}),
        ("series[2]", lambda number: {"series": [1.0, 2.0, number]}),
        ("anything.b[0]", lambda number: {"anything": {"a": 1, "b": (number,)}}),
        ("nested.x[1].y", lambda number: {"nested": {"x": [{}, {"y": number}]}}),
    ],
    ids=["field", "list", "anything", "nested"],
)
def test_a_number_that_json_lacks_is_no_answer(
    place: str, output: Callable[[float], dict[str, Any]], number: float
) -> None:
    """It would be read as "no value"; that input fails and says where, its batch-mates do not."""
    good, bad, none = bodies(
        Numbers({"series": [1.5]}, output(number), {"mean": None}), inputs(0, 1, 2)
    )
    assert good["series"] == [1.5]
    assert bad["error"]["code"] == "invalid-output"
    assert f"{place} is {number}, and JSON has no such number" in bad["error"]["detail"]
    assert none["mean"] is None


def test_an_answer_that_redis_would_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a failure that says so, and its batch-mates are answered."""
    monkeypatch.setattr("doneyet.task_types.answer.MOST_ANSWER_BYTES", 1 << 20)
    long = {"series": [1.5] * 300_000}
    good, bad = bodies(Numbers({"series": [1.5]}, long), inputs(0, 1))
    assert good["series"] == [1.5]
    assert bad["error"]["code"] == "answer-too-large"
    assert "at most 1 are kept" in bad["error"]["detail"]


def test_a_type_may_write_nan_as_it_likes() -> None:
    """As a string, or as what a serializer of its own makes of it; `NaN` alone is no JSON."""

    class Strings(Numbers):
        class Output(BaseModel):
            model_config = ConfigDict(ser_json_inf_nan="strings")
            mean: float
            absent: float | None = None

    class Serialized(Numbers):
        class Output(BaseModel):
            mean: float

            @field_serializer("mean")
            def _mean(self, mean: float) -> float | None:
                return None if math.isnan(mean) else mean

    class Constants(Numbers):
        class Output(BaseModel):
            model_config = ConfigDict(ser_json_inf_nan="constants")
            mean: float

    output = {"mean": math.nan}
    assert bodies(Strings(output), inputs(0)) == [{"n": 0, "mean": "NaN", "absent": None}]
    assert bodies(Serialized(output), inputs(0)) == [{"n": 0, "mean": None}]
    (refused,) = bodies(Constants(output), inputs(0))
    assert refused["error"]["code"] == "invalid-output"


def test_an_input_that_json_lacks_is_refused() -> None:
    """Text is read as a float where one is wanted, and `nan` is one; the echo would be null."""
    for text in ("nan", "inf", "-Infinity"):
        with pytest.raises(InvalidInputError, match="cannot be kept as JSON"):
            asked([Numbers()], {"n": text})
