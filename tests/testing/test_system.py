"""`doneyet.testing.SystemInProcess`: server, worker and Redis in one process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from doneyet import Job, JobContext, RunContext, TaskFailedError, TaskType
from doneyet.task_types.job import AskedTask
from doneyet.task_types.loading import NotLoadedError
from doneyet.testing import SystemInProcess
from tests.helpers import wait_until


class Number(BaseModel):
    """What goes in."""

    n: int


class Doubled(BaseModel):
    """What comes out."""

    double: int


class Doubling(TaskType):
    """Doubles numbers, and stops half way where the test wants."""

    name, endpoint = "doubling", "/double"
    Input, Output = Number, Doubled
    max_batch_size = 8
    gate = threading.Event()

    def run(self, inputs: Sequence[Any], context: RunContext) -> Sequence[Any]:
        for index, item in enumerate(inputs):
            context.progress(index, 0.5, f"at {item.n}")
            if item.n == 1000:
                self.gate.wait(20)
        return [ValueError("odd") if item.n == 13 else {"double": 2 * item.n} for item in inputs]


class Quadrupling(Job):
    """Has numbers doubled twice."""

    name, endpoint = "quadrupling", "/quadruple"
    Input, Output = Number, Doubled

    def coordinate(self, item: Any, context: JobContext) -> Doubled:
        return Doubled(double=self._doubled(self._doubled(item.n, context), context))

    def _doubled(self, n: int, context: JobContext) -> int:
        kind = context.registry.types["doubling"]
        text = kind.canonical(Number(n=n))
        task = AskedTask(kind.name, kind.task_id(text), text)
        while (answer := context.ask([task])[0]) is None:
            context.sleep(0.01)
        return Doubled.model_validate_json(answer.body).double


@pytest.mark.parametrize("queue_mode", ["random", "distributed", "ordered"])
def test_types_and_jobs_are_served(queue_mode: str) -> None:
    """To a client, over HTTP; in every queue mode that has a worker of doneyet's."""
    with SystemInProcess(Doubling, Quadrupling, queue_mode=queue_mode) as system:
        answers = system.client.map("double", [{"n": n} for n in range(40)], errors="return")
        wrong = answers.pop(13)
        assert isinstance(wrong, TaskFailedError)
        assert wrong.detail == "ValueError: odd"
        doubles = [each["double"] for each in answers if isinstance(each, dict)]
        assert doubles == [2 * n for n in range(40) if n != 13]
        assert system.client.run("quadruple", n=3)["double"] == 12


def test_progress_shows() -> None:
    """As of a worker in a process of its own."""
    Doubling.gate.clear()
    with SystemInProcess(Doubling) as system:
        shown = wait_until(
            lambda: system.client.ask("double", n=1000).get("progress"), description="it shows"
        )
        assert shown == {"fraction": 0.5, "message": "at 1000"}
        Doubling.gate.set()
        assert system.client.run("double", n=1000)["double"] == 2000


def test_the_built_in_types_recall() -> None:
    """Settings name what is served where no type is given."""
    with SystemInProcess(tasks="regression") as system:
        fitted = system.client.run("fit", x=[1, 2, 3], y=[2, 4, 6])["fitted"]
        assert system.client.run("predict", model=fitted, x=[5])["y"] == pytest.approx([10])
        load = system.app.test_client().get("/load/regression-fit").json
        assert load is not None
        assert load["workers"] == 1


def test_two_systems_know_nothing_of_each_other() -> None:
    """Each has a Redis of its own."""
    with SystemInProcess(Doubling) as first, SystemInProcess(Doubling) as second:
        task_id = first.client.run("double", n=5)["id"]
        assert first.client.task(task_id)["done"]
        assert second.app.test_client().get(f"/tasks/{task_id}").status_code == 404
        assert second.client.run("double", n=5)["double"] == 10


def test_what_cannot_be_served_is_said_at_once() -> None:
    """And nothing is left running."""

    class Unloadable(Doubling):
        def load(self) -> None:
            raise OSError("the weights are not there")

    with pytest.raises(NotLoadedError, match="weights are not there"), SystemInProcess(Unloadable):
        pass
    wrong = SystemInProcess(Doubling, queue_mode="synchronous")
    with pytest.raises(ValueError, match="queue_mode must be one of"), wrong:
        pass
    assert not [each.name for each in threading.enumerate() if each.name.startswith("doneyet-")]
