"""The synchronous queue mode: one thread, one run per task, bounded memory, a clean end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from task_manager.errors import NoStatusError, OverloadedError, UnavailableError
from task_manager.synchronous import Synchronous
from task_manager.values import Result, State, Status, Task
from tests.helpers import wait_until


@dataclass
class TypeLimits:
    """The limits of a task type of the tests."""

    version: str = "1"
    input_ttl_s: float | None = 30.0
    failure_ttl_s: float | None = 30.0
    max_attempts: int | None = 3
    max_load: int | None = 1000
    coordinated: bool = False


class Desk:
    """A manager whose runs wait at a gate, and note the order and thread in which they began."""

    def __init__(self, ttl_s: float = 60.0, max_load: int = 1000, **bounds: Any) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun: list[str] = []
        self.threads: set[int] = set()
        self.ttl_s = ttl_s
        self.manager = Synchronous({"t": TypeLimits(max_load=max_load)}, self.run, **bounds)

    def run(self, task: Task) -> Result:
        self.begun.append(task.id)
        self.threads.add(threading.get_ident())
        assert self.gate.wait(10)
        if task.id == "bad":
            raise RuntimeError("no such thing")
        return Result(task.id, task.type, State.DONE, b'{"of":"%s"}' % task.id.encode(), self.ttl_s)

    def ask(self, *ids: str, discard: bool = False) -> list[Status | NoStatusError]:
        return self.manager.submit([Task(i, "t", b"{}") for i in ids], discard=discard)

    def asking(self, *ids: str) -> tuple[threading.Thread, list[Status | NoStatusError]]:
        """Asks in another thread; the list has the answers when the thread has ended."""
        answers: list[Status | NoStatusError] = []
        thread = threading.Thread(target=lambda: answers.extend(self.ask(*ids)))
        thread.start()
        return thread, answers


@pytest.fixture
def make_desk() -> Iterator[Callable[..., Desk]]:
    """Makes desks; keyword arguments are limits and bounds."""
    made: list[Desk] = []

    def make(**changed: int) -> Desk:
        made.append(Desk(**changed))
        return made[-1]

    yield make
    for desk in made:
        desk.gate.set()
        desk.manager.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk with the usual limits."""
    return make_desk()


def states(answers: list[Status | NoStatusError]) -> list[State]:
    """The states of answers that are no refusals."""
    return [answer.state for answer in answers if isinstance(answer, Status)]


def test_answers_at_once_in_order_in_one_thread(desk: Desk) -> None:
    """A submit returns when all of its tasks are done, run first come, first served."""
    answers = desk.ask("c", "a", "b")
    assert states(answers) == [State.DONE] * 3
    assert desk.begun == ["c", "a", "b"]
    assert len(desk.threads) == 1
    assert threading.get_ident() not in desk.threads


def test_concurrent_equal_tasks_run_once(desk: Desk) -> None:
    """Sixteen threads that ask the same thing share one run."""
    desk.gate.clear()
    asked = [desk.asking("a", "b") for _ in range(16)]
    wait_until(lambda: desk.begun, description="the first run began")
    desk.gate.set()
    for thread, _ in asked:
        thread.join()
    assert all(states(answers) == [State.DONE] * 2 for _, answers in asked)
    assert sorted(desk.begun) == ["a", "b"]


def test_an_error_is_a_failed_answer_and_the_thread_goes_on(desk: Desk) -> None:
    """Whatever `run` raises is told to whoever asked; the next task is answered."""
    (bad,) = desk.ask("bad")
    assert isinstance(bad, Status)
    assert bad.state is State.FAILED
    assert json.loads(bad.body or b"")["error"] == {
        "code": "task-failed",
        "detail": "RuntimeError: no such thing",
    }
    assert states(desk.ask("good")) == [State.DONE]


def test_overload_is_said_at_once(make_desk: Callable[..., Desk]) -> None:
    """At max_load a new task is refused without waiting; tasks that are there are shared."""
    desk = make_desk(max_load=2)
    desk.gate.clear()
    thread, answers = desk.asking("a", "b")
    wait_until(lambda: desk.begun, description="the first run began")
    (refused,) = desk.ask("c")
    assert isinstance(refused, OverloadedError)
    assert "2 waiting and running tasks" in str(refused)
    desk.gate.set()
    thread.join()
    assert states(answers) == [State.DONE] * 2


def test_waiting_task_can_be_cancelled(desk: Desk) -> None:
    """A cancelled task never runs, and its asker is told at once."""
    desk.gate.clear()
    first, _ = desk.asking("a")
    wait_until(lambda: desk.begun == ["a"], description="the first run began")
    second, answers = desk.asking("b")
    wait_until(lambda: desk.manager.status("t", "b"), description="the second waits")
    status = desk.manager.cancel("t", "b")
    assert status is not None
    assert status.state is State.CANCELLED
    second.join(5)
    assert states(answers) == [State.CANCELLED]
    desk.gate.set()
    first.join()
    assert desk.begun == ["a"]


def test_running_task_can_be_cancelled(desk: Desk) -> None:
    """Its result is dropped when it comes."""
    desk.gate.clear()
    thread, answers = desk.asking("a")
    wait_until(lambda: desk.begun, description="the run began")
    desk.manager.cancel("t", "a")
    thread.join(5)
    desk.gate.set()
    assert states(answers) == [State.CANCELLED]
    desk.ask("b")  # the thread has ended the first run when it answers this
    status = desk.manager.status("t", "a")
    assert status is not None
    assert status.state is State.CANCELLED


def test_answers_are_kept_for_their_ttl(make_desk: Callable[..., Desk]) -> None:
    """A finished answer is served again until its ttl is over; then the task runs again."""
    desk = make_desk(ttl_s=1)
    desk.ask("a")
    desk.ask("a")
    assert desk.begun == ["a"]
    wait_until(lambda: desk.manager.status("t", "a") is None, description="it is forgotten")
    desk.ask("a")
    assert desk.begun == ["a", "a"]


def test_memory_is_bounded_by_number(make_desk: Callable[..., Desk]) -> None:
    """The answer that was asked for longest ago goes first."""
    desk = make_desk(most_results=2)
    desk.ask("a", "b")
    desk.ask("a")
    desk.ask("c")
    kept = [i for i in "abc" if desk.manager.status("t", i) is not None]
    assert kept == ["a", "c"]


def test_memory_is_bounded_by_size(make_desk: Callable[..., Desk]) -> None:
    """Large answers leave sooner; one that is larger than all room is still answered."""
    desk = make_desk(most_result_bytes=5)
    assert states(desk.ask("a")) == [State.DONE]
    assert desk.manager.status("t", "a") is None


def test_discard_runs_again(desk: Desk) -> None:
    """A finished answer is dropped on request, and watchers hear of it."""
    heard: list[str] = []
    desk.ask("a")
    watch = desk.manager.watch(heard.extend, lambda up: None)
    assert states(desk.ask("a", discard=True)) == [State.DONE]
    wait_until(lambda: heard == ["a", "a"], description="dropped, then finished, was heard")
    watch.close()
    watch.close()
    assert desk.begun == ["a", "a"]


def test_a_failing_watcher_harms_nobody(desk: Desk) -> None:
    """What a watcher raises is logged."""

    def fail(ids: object) -> None:
        raise RuntimeError("deaf")

    desk.manager.watch(fail, lambda up: None)
    assert states(desk.ask("a", "b")) == [State.DONE] * 2


def test_closing_answers_all_who_wait(desk: Desk) -> None:
    """What runs is finished, what waits is cancelled, the thread ends, new tasks are refused."""
    desk.gate.clear()
    thread, answers = desk.asking("a", "b")
    wait_until(lambda: desk.begun, description="the first run began")
    closer = threading.Thread(target=desk.manager.close)
    closer.start()
    wait_until(lambda: desk.manager.load(["t"])[0].workers == 0, description="it is closing")
    desk.gate.set()
    closer.join(5)
    thread.join(5)
    assert states(answers) == [State.DONE, State.CANCELLED]
    assert "synchronous" not in {t.name for t in threading.enumerate()}
    for call in (lambda: desk.ask("c"), desk.manager.ping):
        with pytest.raises(UnavailableError):
            call()
