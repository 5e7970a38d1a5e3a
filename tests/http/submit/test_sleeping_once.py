"""A held request sleeps once: from when it queues to be submitted until its answers are known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from flask import Flask

from doneyet.task_types import TaskType
from http_server.submit.chain import Outcome, ParsedTask
from http_server.submit.completions import News
from http_server.submit.long_poll import LongPoll
from http_server.submit.shared_round_trips import SharedRoundTrips
from http_server.submit.status_cache import StatusCache
from http_server.submit.waiting_room import WaitingRoom
from http_server.submit.wake import Wake
from task_manager.errors import OverloadedError
from task_manager.values import State, Status
from tests.helpers import wait_until
from tests.http.fakes import FakeManager
from tests.http.submit.test_waiting import SOON_S, Held

TYPE = TaskType()


def task(number: int) -> ParsedTask:
    """A task of its own for each number."""
    return ParsedTask(f"{number:040x}", "t", b"%d" % number, TYPE, b"{}")


def waiting(number: int, load: int = 1, state: State = State.WAITING) -> Status:
    """How that task is."""
    return Status(f"{number:040x}", "t", state, load, body=b"{}" if state is State.DONE else None)


class FakeSleeper:
    """One that sleeps on for whatever, or for nothing."""

    def __init__(self, *, sleeps: bool) -> None:
        self.wake, self._sleeps = Wake(), sleeps
        self.told: list[Sequence[Outcome]] = []

    def sleeps_on(self, outcomes: Sequence[Outcome]) -> bool:
        self.told.append(outcomes)
        return self._sleeps


class Follower:
    """A sleeper that queues behind another request's round trip."""

    def __init__(self, pool: ThreadPoolExecutor, sleeper: FakeSleeper) -> None:
        self.manager = FakeManager()
        self._shared = SharedRoundTrips(self.manager)
        self.manager.gate.clear()
        submit: Callable[..., list[Outcome]] = self._shared.submit
        self._first = pool.submit(submit, [task(1)])
        wait_until(lambda: len(self.manager.rounds) == 1, description="the first is on its way")
        self._next = pool.submit(submit, [task(2)])  # leads the round in which the sleeper is
        wait_until(lambda: len(self._shared._queue) == 1, description="the next queues")
        self.future: Future[list[Outcome]] = pool.submit(submit, [task(3)], sleeper=sleeper)
        wait_until(lambda: len(self._shared._queue) == 2, description="the sleeper queues")

    def answer(self) -> None:
        """Both round trips come to their end."""
        self.manager.gate.set()
        for other in (self._first, self._next):
            other.result(SOON_S)


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    """Threads that are not waited for."""
    return ThreadPoolExecutor(8)


def test_requests_that_wait_are_not_woken_to_hear_that_nothing_is_there(
    app: Flask, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four that are held, only the one that leads the second round trip is woken before there is
    an answer."""
    woken: list[int] = []
    wait = Wake.wait

    def counted(wake: Wake, timeout_s: float) -> bool:
        was_set = wait(wake, timeout_s)
        if was_set:
            woken.append(threading.get_ident())
        return was_set

    monkeypatch.setattr(Wake, "wait", counted)
    held = Held(app)
    manager.gate.clear()
    first = held.ask(6)
    wait_until(lambda: len(manager.rounds) == 1, description="the first is on its way")
    others = [held.ask(number) for number in (7, 8, 10)]
    manager.gate.set()
    wait_until(lambda: manager.submits == 2, description="all are submitted")
    wait_until(lambda: sum(each.sleeps for each in held.room._held) == 4, description="all sleep")
    assert len(woken) == 1
    manager.finish_all()
    assert [future.result(SOON_S) for future in (first, *others)] == [(200, True)] * 4


def test_a_sleeper_comes_back_when_it_is_woken(pool: ThreadPoolExecutor) -> None:
    """With what was told long before; and it can still see that there was news."""
    sleeper = FakeSleeper(sleeps=True)
    follower = Follower(pool, sleeper)
    follower.answer()
    wait_until(lambda: bool(sleeper.told), description="it is submitted")
    assert not follower.future.done()
    sleeper.wake.set()
    (outcome,) = follower.future.result(SOON_S)
    assert isinstance(outcome, Status)
    assert outcome.id == task(3).id
    assert sleeper.wake.is_set()


def test_a_sleeper_that_is_woken_early_waits_for_its_round_trip(pool: ThreadPoolExecutor) -> None:
    """And what it was woken for is not forgotten."""
    sleeper = FakeSleeper(sleeps=False)
    follower = Follower(pool, sleeper)
    sleeper.wake.set()
    wait_until(lambda: not sleeper.wake.is_set(), description="it was woken")
    assert not follower.future.done()
    follower.answer()
    assert len(follower.future.result(SOON_S)) == 1
    assert sleeper.wake.is_set()


def test_a_sleeper_is_woken_for_a_failure(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it would sleep on for; its patience is not what ends its sleep."""
    monkeypatch.setattr("http_server.submit.shared_round_trips.PATIENCE_S", 60.0)
    sleeper = FakeSleeper(sleeps=True)
    follower = Follower(pool, sleeper)
    follower.manager.broken = True
    follower.manager.gate.set()
    with pytest.raises(RuntimeError):
        follower.future.result(SOON_S)


def test_patience_of_a_sleeper_ends(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with what it was told, and was not woken for anything."""
    monkeypatch.setattr("http_server.submit.shared_round_trips.PATIENCE_S", 0.5)
    sleeper = FakeSleeper(sleeps=True)
    follower = Follower(pool, sleeper)
    follower.answer()
    assert len(follower.future.result(SOON_S)) == 1
    assert not sleeper.wake.is_set()


def test_who_is_held_sleeps_on_only_while_there_is_nothing_to_know() -> None:
    """Not where a task has finished, cannot be taken, or had news meanwhile; nor in a drain."""
    news = News()
    room = WaitingRoom(news, 10)
    with room.enter(1) as held:
        assert held is not None
        room.expect(held, [task(1), task(2)])
        assert not held.sleeps_on([waiting(1), waiting(2, state=State.DONE)])
        assert not held.sleeps_on([waiting(1), OverloadedError("t", 1)])
        assert held.sleeps_on([waiting(1), waiting(2)])
        assert [each.awaited for each in held.tasks] == [True, True]
        room.expect(held, [task(1)])
        news._finished([task(1).id])
        assert not held.sleeps_on([waiting(1)])
        room.expect(held, [task(1)])
        room.drain()
        assert not held.sleeps_on([waiting(1)])


def test_the_lead_is_handed_on_by_who_goes() -> None:
    """One whose time is up leaves before it knows that it is to fetch the answers of all."""
    news = News()
    room = WaitingRoom(news, 10)
    with room.enter(1) as other:
        assert other is not None
        with room.enter(1) as held:
            assert held is not None
            for number, each in enumerate((held, other)):
                room.expect(each, [task(number)])
                assert each.sleeps_on([waiting(number)])
            news._finished([task(0).id, task(1).id])
            assert held.leads
            assert not other.wake.is_set()
        assert other.leads
        assert other.wake.is_set()


def test_a_load_that_comes_late_hides_no_newer_one() -> None:
    """Who sleeps comes back with the load of when it was submitted."""

    class Late:
        def submit(self, tasks: Sequence[ParsedTask], **_more: object) -> list[Outcome]:
            if tasks[0].id == task(1).id:
                cache.submit([task(2)])
                return [waiting(1, load=5)]
            return [waiting(2, load=7, state=State.DONE)]

    news = News()
    cache = StatusCache(Late(), news)
    news._connected(True)
    cache.submit([task(1)])
    (known,) = cache.submit([task(2)])
    assert isinstance(known, Status)
    assert known.load == 7
    assert cache.remembered["t"] == 1


@pytest.mark.parametrize(
    ("wait_s", "input_ttl_s", "connected", "sleeps"),
    [
        (30, 60, True, True),
        (1, 60, True, False),
        (30, 3, True, False),  # submits again each second
        (30, 60, False, False),
    ],
)
def test_who_has_to_be_up_sooner_is_not_left_asleep(
    wait_s: float, input_ttl_s: float, connected: bool, sleeps: bool
) -> None:
    """Its time is up, its task is forgotten, or no news comes that would wake it."""
    seen: list[object] = []

    class Inner:
        def submit(
            self, tasks: Sequence[ParsedTask], *, sleeper: object = None, **_more: object
        ) -> list[Outcome]:
            assert tasks
            seen.append(sleeper)
            return [waiting(1, state=State.DONE)]

    news = News()
    news._connected(connected)
    LongPoll(Inner(), news, 10, input_ttl_s).submit([task(1)], wait_s=wait_s)
    assert [each is not None for each in seen] == [sleeps]
