"""Held requests: who is let in, who wakes them, and when they go without an answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import pytest
from flask import Flask
from flask.testing import FlaskClient

from doneyet.task_types import Registry, load_registry
from http_server.app import create_app
from http_server.submit.waiting_room import WaitingRoom, places
from task_manager.errors import NoStatusError
from task_manager.values import State, Status, Task
from tests.helpers import wait_until
from tests.http.conftest import SETTINGS
from tests.http.fakes import FakeManager
from tests.stopwatch import Stopwatch

SOON_S = 4.0
"""In which whoever is woken is answered; whoever is not waits for 5 s."""


class Held:
    """Requests in threads of their own."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(20)
        self.room: WaitingRoom = app.extensions["doneyet"].room
        self._manager: FakeManager = app.extensions["doneyet"].manager

    def ask(self, number: int, wait: int = 5) -> Future[tuple[int, bool]]:
        """The status, and whether the wish to wait was respected; held from now on, and submitted
        unless the manager's gate is closed."""

        def call() -> tuple[int, bool]:
            response = self._app.test_client().post(
                "/factorize", json={"number": number}, headers={"Prefer": f"wait={wait}"}
            )
            return response.status_code, "Preference-Applied" in response.headers

        manager, count, submits = self._manager, len(self.room), self._manager.submits
        future = self._pool.submit(call)

        def is_held() -> bool:
            submitted = manager.submits > submits or not manager.gate.is_set()
            return submitted and len(self.room) > count

        wait_until(lambda: is_held() or future.done(), description="the request is held")
        return future


@pytest.fixture
def held(app: Flask) -> Held:
    """Requests held by `app`."""
    return Held(app)


def test_news_wakes_only_whom_it_concerns(held: Held, manager: FakeManager) -> None:
    """One task ends: its request is answered, the other is held on."""
    first, second = held.ask(6), held.ask(7)
    wait_until(lambda: len(manager.tasks) == 2, description="both are asked")
    ended = next(iter(manager.tasks))
    manager.finish(ended, b"{}")
    assert first.result(SOON_S) == (200, True)
    assert not second.done()
    manager.finish_all()
    assert second.result(SOON_S) == (200, True)
    assert len(held.room) == 0
    assert held.room._by_id == {}


def test_as_many_wait_as_may(held: Held, manager: FakeManager) -> None:
    """One more than `max_waiting` is answered at once, without `Preference-Applied`."""
    waiting = [held.ask(number) for number in range(2, 2 + SETTINGS.max_waiting)]
    watch = Stopwatch()
    assert held.ask(100).result(SOON_S) == (202, False)
    assert watch.within_s(2), watch
    manager.finish_all()
    assert held.ask(2).result(SOON_S) == (200, True)
    assert [future.result(SOON_S)[0] for future in waiting] == [200] * SETTINGS.max_waiting


def test_drain_sends_all_off(held: Held) -> None:
    """A draining server answers those who wait at once, and holds nobody new."""
    first = held.ask(6)
    held.room.drain()
    assert first.result(SOON_S) == (202, False)
    assert held.ask(7).result(SOON_S) == (202, False)


def test_lost_news_is_looked_for(
    held: Held, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no news comes, held requests ask from time to time."""
    monkeypatch.setattr("http_server.submit.long_poll.LOOK_AGAIN_S", 0.02)
    manager.connect(connected=False)
    first = held.ask(6)
    wait_until(lambda: len(manager.rounds) > 3, description="it was looked again")
    (status,) = manager.tasks.values()
    status.state = State.DONE
    assert first.result(SOON_S) == (200, True)


def app_with_input_ttl(input_ttl_s: float, manager: FakeManager) -> Flask:
    """An application whose tasks are soon forgotten."""
    settings = replace(SETTINGS, input_ttl_s=input_ttl_s)
    return create_app(settings, manager, load_registry(settings))


def test_interest_is_kept_up(manager: FakeManager) -> None:
    """A held request asks again before its task's `input_ttl_s` is over, again and again."""
    ttl_s = 1.0
    app = app_with_input_ttl(ttl_s, manager)
    first = Held(app).ask(6)
    wait_until(lambda: len(manager.rounds) >= 4, description="interest was refreshed")
    manager.finish_all()
    assert first.result(SOON_S) == (200, True)
    apart_s = [later - sooner for sooner, later in pairwise(manager.rounds_at_s)]
    assert max(apart_s[:3]) < ttl_s
    app.extensions["doneyet"].close()


def test_interest_in_what_is_left_is_kept_up(manager: FakeManager) -> None:
    """Of a held array only what is not done is asked about."""
    app = app_with_input_ttl(1, manager)
    numbers = [{"number": 6}, {"number": 7}]
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            lambda: app.test_client().post("/factorize", json=numbers, headers={"Prefer": "wait=5"})
        )
        wait_until(lambda: len(manager.tasks) == 2, description="both are asked")
        ended, other = manager.tasks
        manager.finish(ended, b'{"number":6}')
        wait_until(lambda: len(manager.rounds) >= 4, description="interest was refreshed")
        assert {task.id for task in manager.rounds[-1]} == {other}
        manager.finish_all()
        answers = future.result(5).get_json()
    assert [answer["done"] for answer in answers] == [True, True]
    assert answers[0]["number"] == 6
    app.extensions["doneyet"].close()


def test_large_arrays_take_several_places(client: FlaskClient, manager: FakeManager) -> None:
    """With four places, an array of 100 tasks waits and one of 101 does not."""
    assert places(0, 0) == places(25, 64 * 1024) == 1
    assert places(26, 0) == places(0, 64 * 1024 + 1) == 2
    for count, waits in ((100, True), (101, False)):
        numbers = [{"number": number} for number in range(2, 2 + count)]
        response = client.post("/factorize", json=numbers, headers={"Prefer": "wait=0"})
        assert ("Preference-Applied" in response.headers) is waits


def test_places_come_back(held: Held, manager: FakeManager) -> None:
    """Whoever waited leaves as many places as were taken."""
    for _ in range(3):
        waiting = [held.ask(number) for number in range(2, 2 + SETTINGS.max_waiting)]
        manager.finish_all()
        assert [future.result(SOON_S) for future in waiting] == [(200, True)] * SETTINGS.max_waiting
        held._app.extensions["doneyet"].cache.doubt(manager.tasks)
        manager.tasks.clear()
    assert held.room._taken == 0


def test_redis_goes_while_waiting(held: Held, manager: FakeManager) -> None:
    """Whoever waits when Redis goes hears of it."""
    first = held.ask(6)
    manager.down = True
    manager.connect(connected=False)
    assert first.result(SOON_S) == (503, False)


def test_waiting_for_what_is_known_takes_no_time(client: FlaskClient, manager: FakeManager) -> None:
    """A finished task is answered at once, with the wish respected."""
    client.post("/factorize", json={"number": 6})
    manager.finish_all()
    response = client.post("/factorize", json={"number": 6}, headers={"Prefer": "wait=5"})
    assert response.headers["Preference-Applied"] == "wait=5"
    assert response.status_code == 200


def test_a_wish_is_capped(client: FlaskClient, manager: FakeManager) -> None:
    """`Preference-Applied` tells the wait that was really respected."""
    client.post("/factorize", json={"number": 6})
    manager.finish_all()
    response = client.post("/factorize", json={"number": 6}, headers={"Prefer": "wait=600"})
    assert response.headers["Preference-Applied"] == "wait=5"


def test_news_between_asking_and_sleeping_is_not_lost(app: Flask, manager: FakeManager) -> None:
    """A task that ends while its request is on the way to Redis wakes it all the same."""
    held = Held(app)
    manager.gate.clear()
    first = held.ask(6)
    wait_until(lambda: len(manager.rounds) == 1, description="the request is on its way")
    threading.Timer(0.05, manager.gate.set).start()
    wait_until(lambda: len(manager.tasks) == 1, description="the task is there")
    manager.finish_all()
    assert first.result(SOON_S) == (200, True)


def test_a_held_request_is_two_submits(held: Held, manager: FakeManager) -> None:
    """Its own, and one for all whose tasks have finished by then."""
    manager.gate.clear()
    first = held.ask(6)
    wait_until(lambda: len(manager.rounds) == 1, description="the first is on its way")
    others = [held.ask(number) for number in (7, 8, 10)]
    manager.gate.set()
    wait_until(lambda: len(manager.tasks) == 4, description="all are submitted")
    before = len(manager.rounds)
    manager.gate.clear()  # so that all news is there when the first answer is fetched
    manager.finish_all()
    wait_until(lambda: len(manager.rounds) > before, description="answers are fetched")
    manager.gate.set()
    assert [future.result(SOON_S) for future in (first, *others)] == [(200, True)] * 4
    assert sum(map(len, manager.rounds[before:])) == 4
    assert len(manager.rounds) <= before + 2


def test_answers_that_cannot_be_fetched_are_looked_for(held: Held, manager: FakeManager) -> None:
    """Each request meets the error itself, and none waits in vain."""
    first = held.ask(6)
    wait_until(lambda: len(manager.tasks) == 1, description="it is submitted")
    manager.down = True
    manager.finish_all()
    assert first.result(SOON_S) == (503, False)
    manager.down = False
    assert held.ask(6).result(SOON_S) == (200, True)


def test_news_of_what_is_not_finished_changes_nothing(held: Held, manager: FakeManager) -> None:
    """A result that was discarded is news as well; the request is held on and hears the next."""
    first = held.ask(6)
    wait_until(lambda: len(manager.tasks) == 1, description="it is submitted")
    (task_id,) = manager.tasks
    before = len(manager.rounds)
    for call in manager._on_finished:
        call([task_id])
    wait_until(lambda: len(manager.rounds) > before, description="it was looked for")
    assert not first.done()
    manager.finish_all()
    assert first.result(SOON_S) == (200, True)


@pytest.mark.parametrize("holders", [1, 3])
def test_a_cancelled_task_is_told_to_all_who_are_held(
    app: Flask, held: Held, manager: FakeManager, holders: int
) -> None:
    """Nobody among them has it run again."""
    waiting = [held.ask(6) for _ in range(holders)]
    wait_until(lambda: len(manager.tasks) == 1, description="it is submitted")
    (task_id,) = manager.tasks
    assert app.test_client().delete(f"/tasks/{task_id}").status_code == 200
    assert [future.result(SOON_S) for future in waiting] == [(200, True)] * holders
    assert manager.tasks[task_id].state is State.CANCELLED


def test_a_cancelled_task_is_told_when_the_time_is_up(registry: Registry) -> None:
    """Also where it is cancelled just before a request is let go, which looks once more."""

    class CancelledLate(FakeManager):
        def submit(
            self, tasks: Sequence[Task], *, discard: bool = False
        ) -> list[Status | NoStatusError]:
            outcomes = super().submit(tasks, discard=discard)
            if len(self.rounds) == 2:  # the time is up
                self.tasks[tasks[0].id].state = State.CANCELLED
            return outcomes

    app = create_app(SETTINGS, CancelledLate(), registry)
    assert Held(app).ask(6, wait=1).result(5) == (200, True)
    app.extensions["doneyet"].close()


def test_submitting_a_cancelled_task_runs_it_anew(
    app: Flask, held: Held, manager: FakeManager
) -> None:
    """That others waited for it, and were told, does not matter to a new request."""
    first = held.ask(6)
    wait_until(lambda: len(manager.tasks) == 1, description="it is submitted")
    (task_id,) = manager.tasks
    app.test_client().delete(f"/tasks/{task_id}")
    assert first.result(SOON_S) == (200, True)
    again = held.ask(6)
    assert manager.tasks[task_id].state is State.WAITING
    manager.finish_all()
    assert again.result(SOON_S) == (200, True)


def test_news_before_a_submit_is_answered_is_not_lost(registry: Registry) -> None:
    """A task that ends before its request hears that it waits is fetched at once."""

    class Quick(FakeManager):
        def submit(
            self, tasks: Sequence[Task], *, discard: bool = False
        ) -> list[Status | NoStatusError]:
            outcomes = super().submit(tasks, discard=discard)
            self.finish_all()
            return outcomes

    app = create_app(SETTINGS, Quick(), registry)
    assert Held(app).ask(6).result(SOON_S) == (200, True)
    app.extensions["doneyet"].close()
