"""`Client.events`: how one task goes on, across connections that break."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from doneyet.client import (
    Client,
    Event,
    NotDoneError,
    NotFoundError,
    UnavailableError,
    UnexpectedAnswerError,
)
from doneyet.client.events import EventLines
from doneyet.local.system import System
from tests.client.conftest import MakeClient, MakeStub
from tests.client.stub_server import RESET, Asked, Says, done, in_turn, problem
from tests.stopwatch import Stopwatch

STREAM = {"Content-Type": "text/event-stream"}
WAITING = Event("status", {"status": "waiting", "load": 1}, "waiting")
RUNNING = Event("status", {"status": "running", "load": 1}, "running-1")
ANSWER = Event("answer", done(21), "done-1")


def says(*events: Event) -> Says:
    """A stream of these, which the server then ends."""
    lines = [f"event: {name}\nid: {at}\ndata: {json.dumps(data)}\n\n" for name, data, at in events]
    return Says(200, "retry: 1000\n\n:\n\n" + "".join(lines), STREAM)


def test_events_until_the_answer(stub: MakeStub, client_of: MakeClient) -> None:
    """Each as it comes; the answer is the last."""
    server = stub(in_turn(says(WAITING, RUNNING, ANSWER)))
    assert list(client_of(server).events("abc")) == [WAITING, RUNNING, ANSWER]
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/tasks/abc/events")
    assert asked.headers["Accept"] == "text/event-stream, application/problem+json"
    assert "Last-Event-ID" not in asked.headers


def test_a_stream_that_ends_goes_on(stub: MakeStub, client_of: MakeClient) -> None:
    """Where it was: after a drain, a server that is away, a connection that broke."""
    away = Says(503, problem(503, "draining"), {"Retry-After": "0"})
    server = stub(in_turn(says(WAITING), RESET, away, says(), says(RUNNING, ANSWER)))
    assert list(client_of(server).events("abc")) == [WAITING, RUNNING, ANSWER]
    assert [each.headers.get("Last-Event-ID") for each in server.asked] == [
        None,
        *(["waiting"] * 4),
    ]


def test_patience_ends(stub: MakeStub, client_of: MakeClient) -> None:
    """It is counted from the last time that the server worked; each call may have its own."""
    server = stub(in_turn(says(WAITING), Says(503, problem(503, "away"))))
    events = client_of(server, patience_s=30).events("abc", patience_s=0.5)
    assert next(events) == WAITING
    watch = Stopwatch()
    with pytest.raises(UnavailableError, match="away"):
        next(events)
    assert watch.within_s(4), watch


def test_a_task_that_is_gone(stub: MakeStub, client_of: MakeClient) -> None:
    """Raises, whether the server says so at once or in the stream."""
    gone = Event("gone", problem(404, "it has expired"), "gone")
    for said in (says(WAITING, gone), Says(404, problem(404, "it has expired"))):
        client = client_of(stub(in_turn(said)))
        with pytest.raises(NotFoundError, match="expired"):
            list(client.events("abc"))


def test_the_time_is_up(stub: MakeStub, client_of: MakeClient) -> None:
    """Says how the task was."""
    client = client_of(stub(in_turn(says(RUNNING), says())))
    with pytest.raises(NotDoneError, match="still running after"):
        list(client.events("abc", timeout_s=1.5))


@pytest.mark.parametrize(
    "said",
    [
        Says(200, "<html>", {"Content-Type": "text/html"}),
        Says(200, "event: status\ndata: {\n\n", STREAM),
        Says(200, "event: status\ndata: 5\n\n", STREAM),
    ],
)
def test_what_is_no_stream_of_ours(stub: MakeStub, client_of: MakeClient, said: Says) -> None:
    """Is told as for every other request."""
    with pytest.raises(UnexpectedAnswerError, match="doneyet server"):
        list(client_of(stub(in_turn(said))).events("abc"))


def test_an_id_that_is_none(stub: MakeStub, client_of: MakeClient) -> None:
    """Nothing is sent."""
    with pytest.raises(ValueError, match="40 hexadecimal digits"):
        client_of(stub(in_turn(says()))).events("../load")


def test_lines_become_events() -> None:
    """As the standard says: comments and unknown fields are nothing, data may have lines."""
    lines = EventLines()
    told = [
        lines.take(line)
        for line in (b":", b"", b"other: 1", b"data", b'data: {"a":', b"data:1}", b"id:7", b"")
    ]
    assert [each for each in told if each] == [Event("message", {"a": 1}, "7")]


def test_servers_that_know_no_events(stub: MakeStub, client_of: MakeClient) -> None:
    """Say that there is no such path."""

    def decide(asked: Asked) -> Says:
        return Says(404, problem(404, "no such path"))

    with pytest.raises(NotFoundError, match="no such path"):
        list(client_of(stub(decide)).events("abc"))


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A real worker, whose task takes ten steps in 3 s."""
    with System(processes=1, settings={"DONEYET_TASKS": "tests.client.slow_tasks"}) as running:
        yield running


def test_a_real_task(system: System) -> None:
    """Its steps, live, then its answer."""
    with Client(system.url) as client:
        task_id: Any = client.ask("steps", number=31)["id"]
        events = list(client.events(task_id))
        assert events[-1].data == client.task(task_id)
    steps = [each.data["message"] for each in events if each.name == "progress"]
    assert len(steps) > 4
    assert events[-1].data["double"] == 62


def test_the_time_is_over_while_events_come(system: System) -> None:
    """However much is told meanwhile; what was told last is known."""
    with Client(system.url) as client:
        task_id: Any = client.ask("steps", number=32)["id"]
        with pytest.raises(NotDoneError, match="still running after 1 s"):
            list(client.events(task_id, timeout_s=1))
        assert client.run("steps", number=32)["double"] == 64
