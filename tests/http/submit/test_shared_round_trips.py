"""Concurrent requests share round trips, and a failed one fails nobody else for long."""

from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NoReturn

import pytest

from doneyet.task_types import TaskType
from http_server.submit.chain import ParsedTask
from http_server.submit.shared_round_trips import MOST_PER_ROUND, SharedRoundTrips
from task_manager.errors import UnavailableError
from task_manager.values import Asker, State, Status
from tests.helpers import wait_until
from tests.http.fakes import FakeManager

TYPE = TaskType()


def task(number: int) -> ParsedTask:
    """A task of its own for each number."""
    return ParsedTask(f"{number:040x}", "t", b"%d" % number, TYPE, b"{}")


def ids(outcomes: list[object]) -> list[str]:
    """The ids in the outcomes."""
    return [outcome.id for outcome in outcomes if isinstance(outcome, Status)]


def in_threads(count: int, call: Callable[[int], object]) -> list[object]:
    """`call` of 0, 1, ... at once, with exceptions as values."""

    def safe(number: int) -> object:
        try:
            return call(number)
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(safe, range(count)))


def test_alone_is_at_once() -> None:
    """A single request is a single round trip."""
    manager = FakeManager()
    assert ids([*SharedRoundTrips(manager).submit([task(1), task(2)])]) == [task(1).id, task(2).id]
    assert len(manager.rounds) == 1


def test_requests_during_a_round_trip_share_the_next() -> None:
    """Twenty requests that come while one is on its way need one more round trip in all, and
    each gets its own answers in its order."""
    manager, shared = FakeManager(), None
    shared = SharedRoundTrips(manager)
    manager.gate.clear()
    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(shared.submit, [task(0)])
        wait_until(lambda: len(manager.rounds) == 1, description="the first is on its way")
        others = [pool.submit(shared.submit, [task(n), task(0)]) for n in range(1, 21)]
        wait_until(lambda: len(shared._queue) == 20, description="all others queue")
        manager.gate.set()
        assert ids([*first.result()]) == [task(0).id]
        for number, other in enumerate(others, 1):
            assert ids([*other.result()]) == [task(number).id, task(0).id]
    assert len(manager.rounds) == 2
    assert len(manager.rounds[1]) == 21


def test_large_answers_of_others_hide_nobodys() -> None:
    """Of a round trip that tells only a part of what is there, each request gets some."""
    manager = FakeManager()
    shared = SharedRoundTrips(manager)
    numbers = range(1, 6)
    shared.submit([task(n) for n in numbers])
    for n in numbers:
        manager.finish(task(n).id, b"{}")
    manager.most_told = 1
    manager.gate.clear()
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(shared.submit, [task(0)])
        wait_until(lambda: len(manager.rounds) == 2, description="the first is on its way")
        others = [pool.submit(shared.submit, [task(n)]) for n in numbers]
        wait_until(lambda: len(shared._queue) == 5, description="all others queue")
        manager.gate.set()
        first.result()
        for other in others:
            told = [outcome for outcome in other.result() if isinstance(outcome, Status)]
            assert told
            assert told[0].state is State.DONE


def test_who_waits_and_who_asks_anew_share_it_too() -> None:
    """One round trip, and each is told what it is to be told of the same task."""
    manager = FakeManager()
    shared = SharedRoundTrips(manager)
    shared.submit([task(1)])
    manager.cancel("t", task(1).id)
    manager.gate.clear()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(shared.submit, [task(0)])
        wait_until(lambda: len(manager.rounds) == 2, description="the first is on its way")
        waits = pool.submit(shared.submit, [task(1).as_awaited()])
        wait_until(lambda: len(shared._queue) == 1, description="who waits queues")
        asks = pool.submit(shared.submit, [task(1)])
        wait_until(lambda: len(shared._queue) == 2, description="both queue")
        manager.gate.set()
        first.result()
        outcomes = [*waits.result(), *asks.result()]
    states = [outcome.state for outcome in outcomes if isinstance(outcome, Status)]
    assert states == [State.CANCELLED, State.WAITING]
    assert len(manager.rounds) == 3


def test_two_clients_ask_for_one_task() -> None:
    """One round trip, in which both count, since a task has the best of its clients' turns."""
    manager = FakeManager()
    shared = SharedRoundTrips(manager)
    manager.gate.clear()
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(shared.submit, [task(0)])
        wait_until(lambda: len(manager.rounds) == 1, description="the first is on its way")
        others = [
            pool.submit(shared.submit, [replace(task(1), asker=Asker(client, priority))])
            for client, priority in (("a", 3), ("b", 3), ("a", 1), ("a", 3))
        ]
        wait_until(lambda: len(shared._queue) == 4, description="all queue")
        manager.gate.set()
        first.result()
        assert ids([outcome for other in others for outcome in other.result()]) == [task(1).id] * 4
    assert [each.asker[:2] for each in manager.rounds[1]] == [
        ("a", 3),
        ("b", 3),
        ("a", 1),
    ]


def test_many_threads_many_times() -> None:
    """Under any interleaving everybody gets exactly what they asked for."""
    manager = FakeManager()
    shared = SharedRoundTrips(manager)

    def ask_often(seed: int) -> bool:
        for turn in range(50):
            tasks = [task(seed * 50 + turn), task(turn)]
            if ids([*shared.submit(tasks)]) != [one.id for one in tasks]:
                return False
        return True

    assert in_threads(16, ask_often) == [True] * 16
    assert len(manager.rounds) <= 16 * 50


def test_failures_reach_all_who_queue_and_end_with_their_cause() -> None:
    """When Redis is away everybody hears it at once; when it is back all is well."""
    manager = FakeManager()
    shared = SharedRoundTrips(manager)
    manager.down = True
    outcomes = in_threads(8, lambda number: shared.submit([task(number)]))
    assert all(isinstance(outcome, UnavailableError) for outcome in outcomes)
    manager.down = False
    assert ids([*shared.submit([task(1)])]) == [task(1).id]


def test_unexpected_errors_free_the_lead() -> None:
    """A bug in a round trip is an error for its callers and no deadlock for the next."""
    manager = FakeManager()
    shared = SharedRoundTrips(manager)
    manager.broken = True
    with pytest.raises(RuntimeError):
        shared.submit([task(1)])
    manager.broken = False
    assert ids([*shared.submit([task(1)])]) == [task(1).id]


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who queues behind a round trip that hangs gives up in time."""
    monkeypatch.setattr("http_server.submit.shared_round_trips.PATIENCE_S", 0.05)
    manager = FakeManager()
    shared = SharedRoundTrips(manager)
    manager.gate.clear()
    first = threading.Thread(target=shared.submit, args=([task(0)],))
    first.start()
    wait_until(lambda: len(manager.rounds) == 1, description="the first is on its way")
    with pytest.raises(UnavailableError, match="too long"):
        shared.submit([task(1)])
    manager.gate.set()
    first.join()
    assert ids([*shared.submit([task(2)])]) == [task(2).id]


def test_large_arrays_are_parted() -> None:
    """Nobody blocks Redis with one enormous script call."""
    manager = FakeManager()
    tasks = [task(number) for number in range(MOST_PER_ROUND + 1)]
    assert len(SharedRoundTrips(manager).submit(tasks)) == len(tasks)
    assert [len(round_) for round_ in manager.rounds] == [MOST_PER_ROUND, 1]


class Tasks(list[ParsedTask]):
    """What a weak reference can be made to."""


class Failing:
    """Fails for a reason, as a manager does whose Redis is away."""

    def submit(self, _tasks: Sequence[ParsedTask], *, discard: bool = False) -> NoReturn:
        try:
            raise TimeoutError
        except TimeoutError as error:
            raise UnavailableError("Redis is away") from error


def test_a_failure_keeps_no_inputs() -> None:
    """They go when their requests do, and not when Python looks for cycles: they may be large."""
    shared = SharedRoundTrips(Failing())
    tasks = Tasks([task(1)])
    gone = weakref.ref(tasks)
    gc.disable()
    try:
        with contextlib.suppress(UnavailableError):
            shared.submit(tasks)
        del tasks
        assert gone() is None
    finally:
        gc.enable()
