"""What a job asks, and when it asks again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from doneyet.task_types import Registry, TaskType
from doneyet.task_types.job import AskedTask
from task_manager.errors import NoStatusError, OverloadedError
from task_manager.values import USUAL_PRIORITY, Claim, State, Status, Task
from worker.jobs.completions import ItemCompletions
from worker.jobs.job_context import AT_ONCE, BYTES_AT_ONCE, RunningJob


class Upper(TaskType):
    """Texts in capitals."""

    name, endpoint = "upper", "/upper"
    input_ttl_s = 15.0

    class Input(BaseModel):
        text: str

    class Output(BaseModel):
        upper: str


class Asked:
    """The submitting half of a manager: notes what it is asked, knows what `finished` has."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []
        self.askers: set[tuple[str, int]] = set()
        self.finished: set[str] = set()
        self.cancelled: set[str] = set()
        self.overloaded: set[str] = set()
        self.tell: Callable[[Sequence[str]], None] = lambda _: None
        self.connect: Callable[[bool], None] = lambda _: None

    def submit(self, tasks: Sequence[Task]) -> list[Status | NoStatusError]:
        self.rounds.append([task.id for task in tasks])
        self.askers.update(task.asker[:2] for task in tasks)
        return [self._status(task) for task in tasks]

    def _status(self, task: Task) -> Status | NoStatusError:
        if task.id in self.overloaded:
            return OverloadedError(task.type, 1)
        if task.id in self.cancelled:
            if task.awaited:
                return Status(task.id, task.type, State.CANCELLED, 1)
            self.cancelled.remove(task.id)
        if task.id in self.finished:
            return Status(task.id, task.type, State.DONE, 1, b"{}")
        return Status(task.id, task.type, State.WAITING, 1)

    def watch(self, on_finished: Any, on_connected: Any) -> Any:
        self.tell, self.connect = on_finished, on_connected


@pytest.fixture
def asked() -> Asked:
    """What the job's questions go to."""
    return Asked()


@pytest.fixture
def job(asked: Asked) -> RunningJob:
    """One that hears news."""
    completions = ItemCompletions()
    completions.start(asked)  # type: ignore[arg-type]
    kinds = Registry({"upper": Upper()})
    claim = Claim("j", "batch", b"{}", 1, alone=False)
    unused: Any = None
    made = RunningJob(claim, "me", unused, submitter=asked, registry=kinds, completions=completions)  # type: ignore[arg-type]
    completions.add(made)
    asked.connect(True)
    return made


def items(names: str, size: int = 2) -> list[AskedTask]:
    """Items of these ids, with inputs of so many bytes."""
    return [AskedTask("upper", name, b"x" * size) for name in names]


def test_a_task_is_asked_once_until_it_is_heard_of(job: RunningJob, asked: Asked) -> None:
    """However often the job looks; what others heard of does not matter."""
    assert job.ask(items("ab")) == [None, None]
    assert job.ask(items("ab")) == [None, None]
    assert asked.rounds == [["a", "b"]]
    asked.finished = {"b"}
    asked.tell(["b", "another"])
    nothing, answer = job.ask(items("ab"))
    assert nothing is None
    assert answer is not None
    assert answer.done
    assert asked.rounds == [["a", "b"], ["b"]]


def test_items_come_after_what_somebody_waits_for(job: RunningJob, asked: Asked) -> None:
    """Each job is a client of its own, of less than the usual priority."""
    job.ask(items("ab"))
    assert asked.askers == {("j", USUAL_PRIORITY + 1)}


def test_asking_keeps_a_task_wanted(
    job: RunningJob, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thrice in its time to live, though nothing is heard."""
    now_s = [1000.0]
    monkeypatch.setattr("worker.jobs.job_context.time.monotonic", lambda: now_s[0])
    for now_s[0] in (1000.0, 1004.9, 1005.0, 1009.9, 1010.0):
        job.ask(items("a"))
    assert len(asked.rounds) == 3


def test_news_that_may_be_missing_is_not_waited_for(job: RunningJob, asked: Asked) -> None:
    """While there is no subscription each look asks; after it came back, one does."""
    job.ask(items("a"))
    asked.connect(False)
    job.ask(items("a"))
    job.ask(items("a"))
    asked.connect(True)
    job.ask(items("a"))
    job.ask(items("a"))
    assert len(asked.rounds) == 4


def test_a_queue_that_was_full_is_asked_again(job: RunningJob, asked: Asked) -> None:
    """No news comes of a task that was not taken."""
    asked.overloaded = {"a"}
    assert job.ask(items("ab")) == [None, None]
    asked.overloaded = set()
    job.ask(items("ab"))
    assert asked.rounds == [["a", "b"], ["a"]]


def test_an_item_that_somebody_cancels_has_failed(job: RunningJob, asked: Asked) -> None:
    """However often it is asked for; the job does not have it run again."""
    job.ask(items("ab"))
    asked.cancelled = {"a"}
    asked.tell(["a"])
    for _ in range(2):
        answer, nothing = job.ask(items("ab"))
        assert nothing is None
        assert answer is not None
        assert not answer.done
        assert json.loads(answer.body)["error"]["code"] == "cancelled"


def test_an_item_that_was_cancelled_before_runs(job: RunningJob, asked: Asked) -> None:
    """Also where its type had no room for it at first: nobody waited for it here."""
    asked.cancelled = asked.overloaded = {"a"}
    assert job.ask(items("a")) == [None]
    asked.overloaded = set()
    assert job.ask(items("a")) == [None]
    assert asked.cancelled == set()


def test_equal_items_are_asked_once(job: RunningJob, asked: Asked) -> None:
    """And each has the answer."""
    asked.finished = {"a"}
    assert [answer is not None for answer in job.ask(items("aba"))] == [True, False, True]
    assert asked.rounds == [["a", "b"]]


def test_round_trips_are_bounded(job: RunningJob, asked: Asked) -> None:
    """In tasks and in bytes; one that is larger goes alone."""
    names = [chr(0x4E00 + at) for at in range(AT_ONCE + 1)]
    job.ask(items("".join(names)))
    assert [len(each) for each in asked.rounds] == [AT_ONCE, 1]
    asked.rounds.clear()
    job.ask(items("abc", BYTES_AT_ONCE // 2) + items("d", BYTES_AT_ONCE + 1) + items("e"))
    assert asked.rounds == [["a", "b"], ["c"], ["d"], ["e"]]
