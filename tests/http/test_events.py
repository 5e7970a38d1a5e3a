"""`GET /tasks/<id>/events`: what a stream says, by an application on a fake manager."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from doneyet.task_types import Registry, load_registry
from http_server.app import create_app
from http_server.events import event_stream, looker
from http_server.submit.waiting_room import WaitingRoom
from task_manager.values import Asker, State
from tests.helpers import wait_until
from tests.http.conftest import SETTINGS
from tests.http.event_reader import EventReader
from tests.http.fakes import FakeManager
from tests.stopwatch import Stopwatch

BODY = b'{"number":6,"factorization":[],"factorization_str":"x"}'


class Streams:
    """Streams of an application's tasks; all are let go of at the end."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self.room: WaitingRoom = app.extensions["doneyet"].room
        self.opened: list[EventReader] = []

    def ask(self, number: int = 6) -> str:
        """The id of a task that is submitted."""
        told = self._client.post("/factorize", json={"number": number}).get_json()
        return str(told["id"])

    def open(self, task_id: str, last_id: str = "") -> EventReader:
        """The events of one task."""
        headers = {"Last-Event-ID": last_id} if last_id else {}
        response = self._client.get(f"/tasks/{task_id}/events", headers=headers)
        assert response.status_code == 200, response.text
        reader = EventReader(response.response, response.close)  # type: ignore[arg-type]
        self.opened.append(reader)
        return reader


@pytest.fixture
def streams(app: Flask) -> Iterator[Streams]:
    """Streams of `app`."""
    made = Streams(app)
    yield made
    made.room.drain()
    for each in made.opened:
        each.wait_for_end()


def test_from_waiting_to_the_answer(streams: Streams, manager: FakeManager) -> None:
    """`retry` first; then each state, what progress there is, and the answer, which ends it."""
    task_id = streams.ask()
    events = streams.open(task_id)
    assert events.first("status").data == {"status": "waiting", "load": 1}
    assert (events.lines[0], events.retry) == ("retry: 1000", 1000)
    manager.run(task_id, 0.0, "")
    wait_until(lambda: len(events.events) == 3, description="it is told that it runs")
    manager.run(task_id, 0.42, "epoch 4")
    wait_until(lambda: len(events.events) == 4, description="progress is told")
    manager.finish(task_id, BODY)
    events.wait_for_end()
    assert [(each.name, each.data) for each in events.events[1:4]] == [
        ("status", {"status": "running", "load": 1}),
        ("progress", {"fraction": 0.0, "message": ""}),
        ("progress", {"fraction": 0.42, "message": "epoch 4"}),
    ]
    assert events.names[4:] == ["answer"]
    assert len({each.id for each in events.events}) == 5, "each has an id of its own"
    assert len(streams.room) == 0


def test_the_answer_is_that_of_the_task(
    streams: Streams, client: FlaskClient, manager: FakeManager
) -> None:
    """The same JSON object as `GET /tasks/<id>` answers; at once where it is there already, also
    where its JSON has several lines."""
    task_id = streams.ask()
    manager.finish(task_id, b'{\r\n"number":6,\n"factorization":[],\r"factorization_str":"x"}')
    events = streams.open(task_id)
    events.wait_for_end()
    assert events.names == ["answer"]
    assert events.events[0].data == client.get(f"/tasks/{task_id}").get_json()


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_task_without_an_output_has_an_answer(
    streams: Streams, manager: FakeManager, state: State
) -> None:
    """That it failed, or was cancelled; it is not started anew."""
    task_id = streams.ask()
    events = streams.open(task_id)
    if state is State.CANCELLED:
        manager.cancel("factorization", task_id)
    else:
        manager.finish(task_id, b'{"number":6,"error":{"code":"x","detail":"y"}}', state)
    events.wait_for_end()
    answer = events.events[-1].data
    assert (answer["status"], answer["done"], answer["number"]) == (state.value, True, 6)
    assert manager.tasks[task_id].state is state


def test_headers(streams: Streams, client: FlaskClient) -> None:
    """No cache and no proxy keeps it; no page of another site may read it."""
    path = f"/tasks/{streams.ask()}/events"
    for method in ("GET", "HEAD"):
        with client.open(path, method=method) as response:
            assert response.status_code == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Accel-Buffering"] == "no"
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "Content-Length" not in response.headers
            assert len(streams.room) == (method == "GET")
    wait_until(lambda: len(streams.room) == 0, description="the place is free")
    options = client.options(path)
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert client.post(path).status_code == 405


def test_seen_events_are_not_repeated(streams: Streams, manager: FakeManager) -> None:
    """Who comes again with the last id is told only what it has not seen."""
    task_id = streams.ask()
    waiting = streams.open(task_id).first("status").id
    manager.run(task_id, 0.42, "epoch 4")
    first = streams.open(task_id, waiting)
    running, progress = first.first("status").id, first.first("progress").id
    unseen = streams.open(task_id, running)
    assert unseen.first("progress").data == {"fraction": 0.42, "message": "epoch 4"}
    again = streams.open(task_id, progress)
    manager.finish(task_id, BODY)
    again.wait_for_end()
    assert (unseen.names[0], again.names) == ("progress", ["answer"])


def test_a_seen_answer_is_the_end(
    streams: Streams, client: FlaskClient, manager: FakeManager
) -> None:
    """A browser that comes again after it gets 204, which has it come no more."""
    task_id = streams.ask()
    manager.finish(task_id, BODY)
    seen = streams.open(task_id).first("answer").id
    path, headers = f"/tasks/{task_id}/events", {"Last-Event-ID": seen}
    assert client.get(path, headers=headers).status_code == 204
    manager.tasks[task_id].finished_ms = 1_800_000_000_000  # it ran again
    assert client.get(path, headers=headers).status_code == 200


@pytest.mark.parametrize("last_id", ["x", "-", "running", "é", "1" * 5000, "waiting-\x7f"])
def test_an_id_that_is_none_of_ours(streams: Streams, last_id: str) -> None:
    """Says nothing, so all is told."""
    assert streams.open(streams.ask(), last_id).first("status").data["status"] == "waiting"


def test_refusals(streams: Streams, client: FlaskClient, manager: FakeManager) -> None:
    """As for the task itself: 404 for an unknown id, 503 without Redis."""
    task_id = streams.ask()
    unknown = client.get(f"/tasks/{task_id[:-4]}0000/events")
    assert (unknown.status_code, unknown.get_json()["type"]) == (
        404,
        "urn:doneyet:problem:unknown-task",
    )
    assert client.get("/tasks/x/events").status_code == 404
    manager.down = True
    away = client.get(f"/tasks/{task_id}/events")
    assert (away.status_code, away.headers["Retry-After"]) == (503, "1")
    assert away.headers["Content-Type"] == "application/problem+json"


def test_only_so_many_streams(streams: Streams, client: FlaskClient, manager: FakeManager) -> None:
    """They share `max_waiting` places with held requests; one more is refused, but for an answer
    that is there. Who goes gives its place back."""
    task_id = streams.ask()
    for _ in range(SETTINGS.max_waiting):
        streams.open(task_id).first("status")
    path = f"/tasks/{task_id}/events"
    refused = client.get(path)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "DONEYET_MAX_WAITING" in refused.get_json()["detail"]
    held = client.post("/factorize", json={"number": 6}, headers={"Prefer": "wait=5"})
    assert "Preference-Applied" not in held.headers
    done = streams.ask(7)
    manager.finish(done, BODY)
    streams.open(done).wait_for_end()
    manager.finish_all()
    wait_until(lambda: len(streams.room) == 0, description="all places are free")


def test_drain_ends_streams(streams: Streams, client: FlaskClient) -> None:
    """So that clients come again, to another server; this one refuses them."""
    task_id = streams.ask()
    events = streams.open(task_id)
    events.first("status")
    streams.room.drain()
    events.wait_for_end(5)
    assert events.names == ["status"]
    refused = client.get(f"/tasks/{task_id}/events")
    assert (refused.status_code, "drain" in refused.get_json()["detail"]) == (503, True)


def test_comments(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line now and then while nothing happens, so that proxies keep the connection."""
    monkeypatch.setattr(event_stream, "COMMENT_EVERY_S", 0.05)
    events = streams.open(streams.ask())
    wait_until(lambda: events.comments > 2, description="comments come")
    assert events.names == ["status"]
    assert events.lines[-2:] == [":", ":"]


def test_redis_goes_in_the_middle(streams: Streams, manager: FakeManager) -> None:
    """The stream stays open, and goes on when Redis is back."""
    task_id = streams.ask()
    events = streams.open(task_id)
    events.first("status")
    manager.down = True
    wait_until(lambda: manager.failures > 3, description="it is looked in vain")
    manager.down = False
    manager.run(task_id, 0.5, "half")
    assert events.first("progress").data["message"] == "half"
    assert not events.ended.is_set()


def test_a_watched_task_is_kept_alive(manager: FakeManager) -> None:
    """It is submitted again, by who waits for it, each third of the time for which it lives."""
    settings = replace(SETTINGS, input_ttl_s=1.0)
    app = create_app(settings, manager, load_registry(settings))
    streams = Streams(app)
    events = streams.open(streams.ask())
    wait_until(lambda: len(manager.rounds) > 6, description="it is submitted again and again")
    apart_s = [
        later - earlier
        for earlier, later in zip(manager.rounds_at_s[2:], manager.rounds_at_s[3:], strict=False)
    ]
    assert min(apart_s) > 0.3
    assert all(task.awaited for tasks in manager.rounds[1:] for task in tasks)
    app.extensions["doneyet"].close()
    events.wait_for_end()


def test_who_watches_makes_nothing_more_urgent(registry: Registry) -> None:
    """Where the pick is fair, a task of low priority keeps it."""
    manager = FakeManager()
    manager.promises = replace(manager.promises, fair=True)  # type: ignore[misc]
    app = create_app(SETTINGS, manager, registry)
    streams = Streams(app)
    events = streams.open(streams.ask())
    wait_until(lambda: len(manager.rounds) > 1, description="it is submitted again")
    assert manager.rounds[-1][0].asker == Asker("127.0.0.1", 5)
    app.extensions["doneyet"].close()
    events.wait_for_end()


def test_a_lost_task_begins_anew(streams: Streams, manager: FakeManager) -> None:
    """As for who polls: where Redis has lost it, it is submitted again."""
    task_id = streams.ask()
    events = streams.open(task_id)
    events.first("status")
    manager.run(task_id, 0.5, "half")
    events.first("progress")
    del manager.tasks[task_id]
    wait_until(lambda: events.names.count("status") == 3, description="it waits again")
    assert events.events[-1].data == {"status": "waiting", "load": 1}


def test_gone(streams: Streams, manager: FakeManager) -> None:
    """Where that is refused, the stream ends with the problem."""
    task_id = streams.ask()
    events = streams.open(task_id)
    events.first("status")
    manager.full = True
    del manager.tasks[task_id]
    events.wait_for_end()
    assert events.names == ["status", "gone"]
    assert events.events[-1].data["type"] == "urn:doneyet:problem:overloaded"


def test_the_answer_is_told_at_once(
    streams: Streams, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """News of a finished task is a reason to look, whenever the next look is due."""
    monkeypatch.setattr(looker, "LOOK_EVERY_S", 30.0)
    monkeypatch.setattr(looker, "MOST_PAUSE_S", 30.0)
    task_id = streams.ask()
    events = streams.open(task_id)
    wait_until(lambda: len(manager.rounds) > 1, description="it was looked at")
    watch = Stopwatch()
    manager.finish(task_id, BODY)
    events.first("answer")
    assert watch.within_s(2), watch


def test_streams_of_a_task_share_looks(streams: Streams, manager: FakeManager) -> None:
    """It is looked at four times a second, whoever watches; not at all when nobody does."""
    task_id = streams.ask()
    opened = [streams.open(task_id) for _ in range(4)]
    for each in opened:
        each.first("status")
    began = len(manager.looks)
    wait_until(lambda: len(manager.looks) > began + 6, description="it is looked at")
    apart_s = [
        later - earlier
        for earlier, later in zip(manager.looks[began:], manager.looks[began + 1 :], strict=False)
    ]
    assert min(apart_s) > 0.2
    manager.finish(task_id, BODY)
    for each in opened:
        each.wait_for_end()
    looks = len(manager.looks)
    with pytest.raises(AssertionError, match="in vain"):
        wait_until(lambda: len(manager.looks) > looks, description="a look", timeout_s=0.6)


def test_metrics_measure_until_it_begins(
    streams: Streams, client: FlaskClient, registry: Registry
) -> None:
    """By a label of its own; an open stream is counted already."""
    streams.open(streams.ask()).first("status")
    told = client.get("/metrics").text
    assert 'http_request_seconds_count{code="200",route="/tasks/<task_id>/events"} 1.0' in told
