"""What every queue mode promises to whoever asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from task_manager.errors import AlreadyTerminalError, LargeAnswersError, OverloadedError
from task_manager.redis import submitter
from task_manager.values import Promises, State, Status
from tests.contract.conftest import WAITING_MODES
from tests.contract.harness import ONE, OTHER, Harness, answer, only, task
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch

MakeHarness = Callable[..., Harness]


where_tasks_wait = pytest.mark.parametrize("queue_mode", WAITING_MODES)
"""For what there is to promise only while a task waits."""


def ask_until_done(harness: Harness, n: int) -> Status:
    """Asks and lets a worker work until the task is terminal."""

    def attempt() -> Status | None:
        status = only(harness.manager.submit([task(n)]))
        if not status.state.terminal:
            harness.work_once()
        return status if status.state.terminal else None

    status = wait_until(attempt, description=f"task {n} is terminal")
    assert status is not None
    return status


def test_declares_what_it_promises(harness: Harness) -> None:
    """Tests and docs read one declaration."""
    assert isinstance(harness.manager.promises, Promises)


@where_tasks_wait
def test_new_task_waits(harness: Harness) -> None:
    """The first asking makes a task wait, and it counts in its type's load."""
    status = only(harness.manager.submit([task(7)]))
    assert (status.state, status.load, status.body) == (State.WAITING, 1, None)
    assert (status.id, status.type) == (task(7).id, ONE)


def test_asking_again_answers_when_done(harness: Harness) -> None:
    """Polled again and again, a task is done; its result is stored byte for byte."""
    status = ask_until_done(harness, 7)
    assert (status.state, status.body, status.load) == (State.DONE, answer(7), 0)


@where_tasks_wait
def test_asking_twice_runs_once(harness: Harness) -> None:
    """Submitting never makes a duplicate."""
    for _ in range(3):
        assert only(harness.manager.submit([task(7)])).load == 1
    assert harness.work_once() == [7]
    assert harness.work_once() == []


@where_tasks_wait
def test_same_task_twice_in_one_submit(harness: Harness) -> None:
    """Equal inputs in one submit are one task."""
    statuses = harness.manager.submit([task(7), task(8), task(7)])
    assert [status.state for status in statuses if isinstance(status, Status)] == ["waiting"] * 3
    assert sorted(harness.work_once() + harness.work_once()) == [7, 8]


def test_finished_task_never_runs_again(harness: Harness) -> None:
    """A finished answer is served from its result."""
    ask_until_done(harness, 7)
    assert only(harness.manager.submit([task(7)])).state is State.DONE
    harness.work_once()
    assert harness.runs == [7]


def test_answers_come_in_the_order_of_the_tasks(harness: Harness) -> None:
    """One submit of done and new tasks of two types answers each at its index."""
    ask_until_done(harness, 3)
    tasks = [task(1, OTHER), task(3), task(2), task(1)]
    statuses = harness.manager.submit(tasks)
    assert [s.id for s in statuses if isinstance(s, Status)] == [t.id for t in tasks]
    assert statuses[1].body == answer(3) if isinstance(statuses[1], Status) else False


def test_who_answers_at_once(harness: Harness, queue_mode: str) -> None:
    """Every mode that is not tried with waiting tasks promises that none waits."""
    assert harness.manager.promises.answers_at_once == (queue_mode not in WAITING_MODES)


def test_empty_submit(harness: Harness) -> None:
    """No tasks, no answers, no error."""
    assert harness.manager.submit([]) == []


def test_thousand_at_once(harness: Harness) -> None:
    """A thousand tasks are asked for in one call, and all are answered."""
    tasks = [task(n) for n in range(1000)]

    def all_done() -> bool:
        statuses = harness.manager.submit(tasks)
        done = [s for s in statuses if isinstance(s, Status) and s.state is State.DONE]
        if len(done) < len(tasks):
            harness.work_once()
        return len(done) == len(tasks)

    wait_until(all_done, description="a thousand tasks are done", timeout_s=120)


@where_tasks_wait
def test_abandoned_task_never_runs(make_harness: MakeHarness) -> None:
    """A task that nobody asks about within its input ttl expires: unknown, not run, not counted."""
    harness = make_harness(input_ttl_s=1.0)
    harness.manager.submit([task(n) for n in range(20)])
    wait_until(lambda: harness.manager.load([ONE])[0].waiting == 0, description="all tasks expired")
    assert harness.manager.status(ONE, task(7).id) is None
    assert harness.work_once() == []


@where_tasks_wait
def test_submitting_keeps_a_task_alive(make_harness: MakeHarness) -> None:
    """A task that is asked about stays past its first input ttl, and then runs."""
    harness = make_harness(input_ttl_s=1.0)
    submitted_at = time.monotonic()
    harness.manager.submit([task(7)])
    first = harness.manager.status(ONE, task(7).id)
    assert first is not None

    def asked_for_long() -> bool:
        assert only(harness.manager.submit([task(7)])).state is State.WAITING
        return time.monotonic() - submitted_at > 2.5

    wait_until(asked_for_long, description="2.5 s of asking are over")
    now = harness.manager.status(ONE, task(7).id)
    assert now is not None
    assert now.submitted_ms == first.submitted_ms, "it is the same task, not one made anew"
    assert harness.work_once() == [7]


def test_statuses_of_many(harness: Harness) -> None:
    """Each as it is alone, in the order in which they were asked for."""
    manager = harness.manager
    assert manager.statuses(ONE, []) == []
    ask_until_done(harness, 7)
    manager.submit([task(8)])
    ids = [task(n).id for n in (8, 9, 7)]
    assert manager.statuses(ONE, ids) == [manager.status(ONE, each) for each in ids]


@where_tasks_wait
def test_new_tasks_are_refused_at_max_load(make_harness: MakeHarness) -> None:
    """At max_load a new task is refused, while tasks that are there are still answered."""
    harness = make_harness(max_load=2)
    first = harness.manager.submit([task(1), task(2), task(3), task(1, OTHER)])
    assert [isinstance(item, OverloadedError) for item in first] == [False, False, True, False]
    assert only(harness.manager.submit([task(2)])).state is State.WAITING
    ask_until_done(harness, 1)
    assert only(harness.manager.submit([task(1)])).state is State.DONE


@where_tasks_wait
def test_large_answers_are_told_in_parts(
    make_harness: MakeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least one at a time; those that are not told are there, and asking again tells them."""
    harness = make_harness()
    for n in (1, 2, 3):
        ask_until_done(harness, n)
    monkeypatch.setattr(submitter, "MOST_ANSWERS_BYTES", 1)
    told: dict[str, bytes | None] = {}
    for _ in range(3):
        missing = [each for n in (1, 2, 3) if (each := task(n)).id not in told]
        first, *others = harness.manager.submit(missing)
        assert isinstance(first, Status)
        told[first.id] = first.body
        assert all(isinstance(other, LargeAnswersError) for other in others)
    assert told == {task(n).id: answer(n) for n in (1, 2, 3)}
    assert harness.runs == [1, 2, 3]


def test_discard_runs_again(harness: Harness) -> None:
    """With `discard` a finished result is dropped and the task runs again."""
    ask_until_done(harness, 7)
    harness.manager.submit([task(7)], discard=True)
    harness.work_once()
    assert harness.runs == [7, 7]


@where_tasks_wait
def test_discard_of_a_waiting_task_changes_nothing(harness: Harness) -> None:
    """There is no result to drop yet, so the task is simply kept alive."""
    harness.manager.submit([task(7)])
    assert only(harness.manager.submit([task(7)], discard=True)).load == 1
    assert harness.work_once() == [7]


def test_failure_is_an_answer(harness: Harness) -> None:
    """A failed task is terminal, and its body says why."""
    status = ask_until_done(harness, -4)
    assert (status.state, status.body) == (State.FAILED, answer(-4))


def test_failure_is_forgotten_after_its_ttl(make_harness: MakeHarness) -> None:
    """Submitting after failure_ttl_s runs a failed task again."""
    harness = make_harness(failure_ttl_s=1.0)
    ask_until_done(harness, -4)
    wait_until(
        lambda: harness.manager.status(ONE, task(-4).id) is None,
        description="the failure is forgotten",
    )
    assert ask_until_done(harness, -4).state is State.FAILED


def test_status_keeps_nothing_alive(harness: Harness) -> None:
    """Looking is not asking: an unknown task stays unknown."""
    assert harness.manager.status(ONE, task(7).id) is None
    assert harness.manager.load([ONE])[0].waiting == 0


def test_status_tells_times_and_attempts(harness: Harness) -> None:
    """A finished task tells when it was submitted, started and finished, in this order."""
    ask_until_done(harness, 7)
    status = harness.manager.status(ONE, task(7).id)
    assert status is not None
    assert status.submitted_ms is not None
    assert status.started_ms is not None
    assert status.finished_ms is not None
    assert status.submitted_ms <= status.started_ms <= status.finished_ms
    assert status.attempts == 1
    assert status.expires_ms is not None
    assert status.expires_ms > status.finished_ms


@where_tasks_wait
def test_status_tells_the_input_of_a_waiting_task(harness: Harness) -> None:
    """Who knows only the id learns what was asked."""
    harness.manager.submit([task(7)])
    status = harness.manager.status(ONE, task(7).id)
    assert status is not None
    assert status.input == task(7).input


@where_tasks_wait
def test_cancelled_task_never_runs(harness: Harness) -> None:
    """A waiting task that is cancelled is gone, and says so for a while."""
    harness.manager.submit([task(7)])
    cancelled = harness.manager.cancel(ONE, task(7).id)
    assert cancelled is not None
    assert (cancelled.state, cancelled.load) == (State.CANCELLED, 0)
    assert harness.work_once() == []
    seen = harness.manager.status(ONE, task(7).id)
    assert seen is not None
    assert seen.state is State.CANCELLED


@where_tasks_wait
def test_asking_after_a_cancel_starts_anew(harness: Harness) -> None:
    """Cancelling is no verdict on the input: who asks again gets an answer."""
    harness.manager.submit([task(7)])
    harness.manager.cancel(ONE, task(7).id)
    assert ask_until_done(harness, 7).body == answer(7)


@where_tasks_wait
def test_who_waits_for_a_task_is_told_of_its_cancelling(harness: Harness) -> None:
    """To whoever has asked before and waits, it is the answer: each hears it, and it never runs."""
    awaited = replace(task(7), awaited=True)
    harness.manager.submit([task(7)])
    assert only(harness.manager.submit([awaited])).state is State.WAITING
    harness.manager.cancel(ONE, task(7).id)
    for _ in range(2):
        status = only(harness.manager.submit([awaited]))
        assert (status.state, status.load, status.body) == (State.CANCELLED, 0, None)
    assert harness.work_once() == []


@where_tasks_wait
def test_waiting_for_a_task_is_asking_for_it(harness: Harness) -> None:
    """One that nobody cancelled is kept alive, and begins to wait where it was lost."""
    assert only(harness.manager.submit([replace(task(7), awaited=True)])).state is State.WAITING
    assert harness.work_once() == [7]
    assert only(harness.manager.submit([replace(task(7), awaited=True)])).body == answer(7)


@where_tasks_wait
def test_who_waits_and_who_asks_anew_in_one_submit(harness: Harness) -> None:
    """Each task is answered at its index, whichever of both it is."""
    harness.manager.submit([task(1), task(2), task(3, OTHER)])
    for n, name in ((1, ONE), (2, ONE), (3, OTHER)):
        harness.manager.cancel(name, task(n, name).id)
    one, two, three = task(1), task(2), task(3, OTHER)
    tasks = [replace(one, awaited=True), two, replace(three, awaited=True), task(4)]
    statuses = harness.manager.submit(tasks)
    told = [(status.id, status.state) for status in statuses if isinstance(status, Status)]
    states = [State.CANCELLED, State.WAITING, State.CANCELLED, State.WAITING]
    assert told == list(zip([each.id for each in tasks], states, strict=True))


@where_tasks_wait
def test_who_waits_hears_before_who_asks_anew(harness: Harness) -> None:
    """Where both ask for the same task in one submit, in whichever order."""
    awaited = replace(task(7), awaited=True)
    for tasks in ([task(7), awaited], [awaited, task(7)]):
        harness.manager.submit([task(7)])
        harness.manager.cancel(ONE, task(7).id)
        told = zip(tasks, harness.manager.submit(tasks), strict=True)
        states = {each.awaited: status.state for each, status in told if isinstance(status, Status)}
        assert states == {True: State.CANCELLED, False: State.WAITING}


def test_cancelling_an_unknown_task(harness: Harness) -> None:
    """There is nothing to cancel."""
    assert harness.manager.cancel(ONE, task(7).id) is None


def test_cancelling_a_finished_task(harness: Harness) -> None:
    """An answer cannot be cancelled, and stays."""
    ask_until_done(harness, 7)
    with pytest.raises(AlreadyTerminalError):
        harness.manager.cancel(ONE, task(7).id)
    assert only(harness.manager.submit([task(7)])).state is State.DONE


@where_tasks_wait
def test_load_counts_each_type_for_itself(harness: Harness) -> None:
    """Tasks of one type do not show in the load of another."""
    harness.manager.submit([task(1), task(2), task(3), task(1, OTHER)])
    loads = harness.manager.load([OTHER, ONE])
    assert [(load.type, load.waiting, load.running) for load in loads] == [
        (OTHER, 1, 0),
        (ONE, 3, 0),
    ]


def test_inputs_survive_byte_for_byte(harness: Harness) -> None:
    """Numbers beyond any float come back exactly."""
    huge = 10**60 + 7
    assert ask_until_done(harness, huge).body == answer(huge)


def test_watch_tells_of_finished_tasks(harness: Harness) -> None:
    """A watcher hears of a finished task within a second, without asking."""
    heard: list[str] = []
    connected = threading.Event()
    watch = harness.manager.watch(heard.extend, lambda up: connected.set() if up else None)
    assert connected.wait(5)
    ask_until_done(harness, 7)
    stopwatch = Stopwatch()
    wait_until(lambda: task(7).id in heard, description="it hears")
    assert stopwatch.within_s(1), stopwatch
    watch.close()


@where_tasks_wait
def test_watch_tells_of_discarded_results(harness: Harness) -> None:
    """A watcher hears that an answer it may have kept holds no longer, and of a cancelled task."""
    ask_until_done(harness, 7)
    heard: list[str] = []
    connected = threading.Event()
    watch = harness.manager.watch(heard.extend, lambda up: connected.set() if up else None)
    assert connected.wait(5)
    harness.manager.submit([task(7)], discard=True)
    wait_until(lambda: heard == [task(7).id], description="the watcher heard of the discarding")
    harness.manager.cancel(ONE, task(7).id)
    wait_until(lambda: heard == [task(7).id] * 2, description="the watcher heard of the cancelling")
    watch.close()


@where_tasks_wait
def test_concurrent_askers_make_one_task(make_harness: MakeHarness) -> None:
    """Many threads of two servers that ask the same at once make one task."""
    harness, second = make_harness(), make_harness()
    threads = [
        threading.Thread(target=server.manager.submit, args=([task(7)],))
        for server in (harness, second) * 6
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert harness.manager.load([ONE])[0].waiting == 1
    assert harness.work_once() == [7]
    assert harness.work_once() == []


def test_closed_twice(harness: Harness) -> None:
    """Closing again does no harm."""
    harness.manager.close()
    harness.manager.close()
