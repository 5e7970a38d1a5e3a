"""Tasks by their ids at servers of another version of their type, and at such as do not know it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from pydantic import BaseModel

from doneyet.task_types import Registry, TaskType
from doneyet.task_types.registry import registry_of
from http_server.app import create_app
from task_manager import open_task_manager
from task_manager.interface import TaskManager
from task_manager.values import Claim, Result, State
from tests.helpers import wait_until
from tests.http.conftest import SETTINGS
from tests.http.event_reader import EventReader

OWNER = "worker"


class Shout(TaskType):
    """Says it louder; of one version."""

    name, endpoint = "shout", "/shout"

    class Input(BaseModel):
        text: str

    class Output(BaseModel):
        louder: str

    def __init__(self, version: str) -> None:
        self.version = version

    def run(self, inputs: Sequence[Input]) -> Sequence[Output]:
        raise AssertionError("tests answer in the worker's place")


class Whisper(Shout):
    """What a server has that knows no shouting."""

    name, endpoint = "whisper", "/whisper"


class Deployment:
    """A server of version 1 and its worker, beside whose tasks another server is asked."""

    def __init__(self, queue_mode: str, redis_url: str, other: TaskType, **given: Any) -> None:
        self._settings = replace(SETTINGS, redis_url=redis_url, queue_mode=queue_mode, **given)
        self._apps: list[Flask] = []
        registry = registry_of([Shout("1")], self._settings)
        self.own, self.other = self._server(registry), self._server_of(other)
        self._manager = open_task_manager(self._settings, registry.types)
        assert isinstance(self._manager, TaskManager)
        self._manager.renew({OWNER: ["shout"]}, lease_s=60)

    def _server_of(self, task_type: TaskType) -> Flask:
        return self._server(registry_of([task_type], self._settings))

    def _server(self, registry: Registry) -> Flask:
        self._apps.append(create_app(self._settings, registry=registry))
        return self._apps[-1]

    def submit(self, text: str) -> str:
        """The id of a task that waits."""
        told = self.own.test_client().post("/shout", json={"text": text}).get_json()
        assert told["status"] == "waiting"
        return str(told["id"])

    def begin(self) -> Claim:
        """What the worker runs from now on, and says that it is halfway."""
        (claim,) = self._manager.claim(OWNER, ["shout"], 1)
        self._manager.progress(OWNER, {claim.id: ("shout", 0.5, "halfway")})
        return claim

    def finish(self, claim: Claim) -> None:
        """The worker's answer is there."""
        body = b'{"text":"hey","louder":"HEY"}'
        self._manager.finish(OWNER, [Result(claim.id, claim.type, State.DONE, body, 60)])

    def close(self) -> None:
        """Ends what was begun."""
        self._manager.close()
        for app in self._apps:
            app.extensions["doneyet"].close()


@pytest.fixture(params=["random", "distributed", "ordered"])
def make(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Callable[..., Deployment]]:
    """Makes a deployment in one queue mode."""
    made: list[Deployment] = []

    def of(other: TaskType, **given: Any) -> Deployment:
        made.append(Deployment(request.param, redis_url, other, **given))
        return made[-1]

    yield of
    for each in made:
        each.close()


OTHERS = pytest.mark.parametrize("other", [Shout("2"), Whisper("1")], ids=["version", "type"])


@OTHERS
def test_get(make: Callable[..., Deployment], other: TaskType) -> None:
    """Each state is told, with what is known whatever the version: no field of the answer is
    guessed. So a client that polls by the id never hears that there is no such task."""
    deployment = make(other)
    ask = deployment.other.test_client()
    task_id = deployment.submit("hey")
    told = ask.get(f"/tasks/{task_id}").get_json()
    assert (told["done"], told["status"], told["type"], told["load"]) == (
        False,
        "waiting",
        "shout",
        1,
    )
    assert not {"louder", "text"} & told.keys()
    claim = deployment.begin()
    told = ask.get(f"/tasks/{task_id}").get_json()
    assert (told["status"], told["progress"]["message"]) == ("running", "halfway")
    deployment.finish(claim)
    told = ask.get(f"/tasks/{task_id}").get_json()
    assert (told["status"], told["louder"], told["type"]) == ("done", "HEY", "shout")
    assert ask.get(f"/tasks/{task_id[:-1]}x").status_code == 404


@OTHERS
def test_delete(make: Callable[..., Deployment], other: TaskType) -> None:
    """It is cancelled for all: its own server says so, too."""
    deployment = make(other)
    task_id = deployment.submit("hey")
    reply = deployment.other.test_client().delete(f"/tasks/{task_id}")
    assert (reply.status_code, reply.get_json()["status"]) == (200, "cancelled")
    assert deployment.own.test_client().get(f"/tasks/{task_id}").get_json()["status"] == "cancelled"
    reply = deployment.other.test_client().delete(f"/tasks/{task_id}")
    assert reply.status_code == 409


@OTHERS
def test_events(make: Callable[..., Deployment], other: TaskType) -> None:
    """A stream tells it all. It does not submit the task, whose worker would be of this server's
    version then, and which nobody else would find."""
    deployment = make(other)
    task_id = deployment.submit("hey")
    response = deployment.other.test_client().get(f"/tasks/{task_id}/events")
    events = EventReader(response.response, response.close)  # type: ignore[arg-type]
    try:
        assert events.first("status").data == {"status": "waiting", "load": 1}
        claim = deployment.begin()
        assert events.first("progress").data == {"fraction": 0.5, "message": "halfway"}
        deployment.finish(claim)
        assert events.first("answer").data["louder"] == "HEY"
    finally:
        deployment.other.extensions["doneyet"].room.drain()
        events.wait_for_end()
    load = deployment.other.test_client().get(f"/load/{other.name}").get_json()
    assert load["load"] == 0


@OTHERS
def test_a_stream_keeps_its_task_alive(make: Callable[..., Deployment], other: TaskType) -> None:
    """At every server; a task beside it, which nobody watches, expires."""
    deployment = make(other, input_ttl_s=1.0)
    watched, unwatched = deployment.submit("hey"), deployment.submit("ho")
    ask = deployment.other.test_client()
    response = ask.get(f"/tasks/{watched}/events")
    events = EventReader(response.response, response.close)  # type: ignore[arg-type]
    try:
        assert events.first("status").data["status"] == "waiting"
        wait_until(
            lambda: ask.get(f"/tasks/{unwatched}").status_code == 404, description="it expires"
        )
        assert ask.get(f"/tasks/{watched}").get_json()["status"] == "waiting"
    finally:
        deployment.other.extensions["doneyet"].room.drain()
        events.wait_for_end()


@OTHERS
def test_no_such_type(make: Callable[..., Deployment], other: TaskType) -> None:
    """An id of no type that anybody serves is 404, and so is one that no task ever had."""
    deployment = make(other)
    ask = deployment.other.test_client()
    for task_id in ("0" * 40, deployment.submit("hey")[:8] + "0" * 32):
        for reply in (
            ask.get(f"/tasks/{task_id}"),
            ask.delete(f"/tasks/{task_id}"),
            ask.get(f"/tasks/{task_id}/events"),
        ):
            assert reply.status_code == 404
            assert reply.get_json()["type"].endswith(":unknown-task")


def test_what_is_no_id_costs_nothing(registry: Registry) -> None:
    """It is unknown, whatever Redis does: here, it is not there."""
    app = create_app(replace(SETTINGS, redis_url="redis://127.0.0.1:1/0"), registry=registry)
    ask = app.test_client()
    try:
        for task_id in ("x", "0" * 39, "0" * 41, "G" * 40, "0" * 39 + "é"):
            assert ask.get(f"/tasks/{task_id}").status_code == 404
            assert ask.delete(f"/tasks/{task_id}").status_code == 404
            assert ask.get(f"/tasks/{task_id}/events").status_code == 404
        assert ask.get("/tasks/" + "0" * 40).status_code == 503, "that might be one"
    finally:
        app.extensions["doneyet"].close()
