"""Validators, serializers and handlers that change or raise what they should not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
from pydantic import (
    BaseModel,
    field_serializer,
    field_validator,
)

from doneyet.task_types import Job, TaskType
from doneyet.task_types.run_batch import run_batch
from doneyet.task_types.schemas.parse_input import FaultyTypeError, asked
from task_manager.values import Claim
from tests.tasks.made_type import Value, answers, task_type
from worker.jobs.job_context import RunningJob
from worker.jobs.job_thread import run_job


class Listed(BaseModel):
    """An input that can be changed in place."""

    x: list[int] = []
    bad: bool = False


def _append_and_raise(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
    for item in inputs:
        item.x.append(0)
    if any(item.bad for item in inputs):
        raise ValueError("a bad one")
    return [Value(v=len(item.x)) for item in inputs]


def test_what_run_changes_is_made_again() -> None:
    """A batch that raised is halved, and each half gets its inputs as they were sent."""
    asks = [{"x": [n], "bad": n == 3} for n in range(6)]
    got = answers(task_type(Listed, run=_append_and_raise), *asks)
    assert [answer.get("v") for answer in got] == [2, 2, 2, None, 2, 2]
    assert [answer["x"] for answer in got] == [[n] for n in range(6)]


def test_what_prepare_changes_is_made_again() -> None:
    """It runs again for each half, and for each input where it raised for all."""

    def prepare(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        for item in inputs:
            item.x.append(7)
        if len(inputs) > 3:
            raise ValueError("too many")
        return inputs

    asks = [{"x": [n], "bad": n == 3} for n in range(6)]
    for part in (asks, asks[2:5]):
        kind = task_type(Listed, run=_append_and_raise, prepare=prepare)
        got = answers(kind, *part)
        assert [answer.get("v") for answer in got] == [None if a["bad"] else 3 for a in part]
        assert [answer["x"] for answer in got] == [a["x"] for a in part]


def test_the_echo_is_what_was_sent() -> None:
    """Whatever `run` does to its inputs, and whether it answers or fails."""

    def lie(_self: TaskType, inputs: Sequence[Any]) -> Sequence[Any]:
        for item in inputs:
            item.n = 999
        return [Value(v=1), ValueError("failed"), {"w": 1}][: len(inputs)]

    got = answers(task_type(run=lie), {"n": 1}, {"n": 2}, {"n": 3})
    assert [answer["n"] for answer in got] == [1, 2, 3]


RAISED = [KeyError("x"), OSError(28, "full"), SystemExit(1), KeyboardInterrupt(), BaseException()]


class Raising(BaseModel):
    """A validator that raises what it is told to, if it is told to."""

    n: int

    @field_validator("n")
    @classmethod
    def _raise(cls, n: int) -> int:
        if 0 <= n < len(RAISED):
            raise RAISED[n]
        return n


@pytest.mark.parametrize("which", range(len(RAISED)))
def test_a_validator_that_raises_what_it_should_not(
    which: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no fault of the input; said once in the log, with the type's name."""
    with pytest.raises(FaultyTypeError, match="the task type made failed to check this input"):
        asked([task_type(Raising)], {"n": which})
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "task type made" in caplog.text


@pytest.mark.parametrize("which", range(len(RAISED)))
def test_a_validator_that_raises_at_the_worker_fails_its_task_alone(which: int) -> None:
    """Its batch-mates are answered."""
    texts = [b'{"n":%d}' % n for n in (7, which, 8)]
    got = [json.loads(answer.body) for answer in run_batch(task_type(Raising), texts)]
    assert [answer.get("v") for answer in got] == ["Raising(n=7)", None, "Raising(n=8)"]
    assert got[1]["error"]["code"] == "invalid-input"


def test_a_serializer_that_ends_the_process_fails_its_task_alone() -> None:
    """Whatever it raises, while the answer is written."""

    class Ending(BaseModel):
        v: Any = None

        @field_serializer("v")
        def _end(self, v: Any) -> Any:
            if "n=1" in v:
                raise SystemExit(1)
            return v

    bad, good = answers(task_type(output_model=Ending), {"n": 1}, {"n": 2})
    assert bad["error"]["code"] == "invalid-output"
    assert good["v"] == "Plain(n=2)"


@pytest.mark.parametrize("end", [None, SystemExit(1), ValueError("no")], ids=repr)
def test_a_job_may_change_its_input_and_raise_anything(end: BaseException | None) -> None:
    """The echo is what was sent; what it raises fails this job, and not the thread that ran it."""

    def coordinate(_self: TaskType, item: Any, _context: Any) -> Any:
        item.n = 999
        if end is not None:
            raise end
        return Value(v=1)

    kind = task_type(base=Job, coordinate=coordinate)
    claim = Claim("0" * 40, "made", b'{"n":1}', attempts=1, alone=False)
    answer = json.loads(run_job(kind, claim, cast("RunningJob", None)).body)
    assert answer["n"] == 1
    assert ("error" in answer) == (end is not None)
