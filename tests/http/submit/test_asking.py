"""Submitting: pending, done, failed, arrays, models, discarding, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.app import create_app
from task_manager.values import Load, State
from tests.http.fakes import FakeManager
from tests.http.wire.test_bodies import assert_problem

DONE = b'{"number":6,"factorization":[[2,1],[3,1]],"factorization_str":"2^1 3^1"}'


def test_pending(client: FlaskClient) -> None:
    """A new question is 202 with null outputs, where the task is, and when to ask again."""
    response = client.post("/factorize", json={"number": 6})
    answer = response.get_json()
    assert response.status_code == 202
    assert list(answer) == [
        *("number", "factorization", "factorization_str", "done", "load", "id", "status")
    ]
    assert answer | {"id": ""} == {
        "number": 6,
        "factorization": None,
        "factorization_str": None,
        "done": False,
        "load": 1,
        "id": "",
        "status": "waiting",
    }
    assert response.headers["Location"] == f"/tasks/{answer['id']}"
    assert response.headers["Retry-After"] == "1"
    assert response.headers["Cache-Control"] == "no-store"


def test_done(client: FlaskClient, manager: FakeManager) -> None:
    """A finished question is 200 with its outputs, at the very next poll."""
    task_id = ask(client, 6)["id"]
    manager.finish(task_id, DONE)
    response = client.post("/factorize", json={"number": 6})
    assert response.status_code == 200
    assert response.get_json() == {
        "number": 6,
        "factorization": [[2, 1], [3, 1]],
        "factorization_str": "2^1 3^1",
        "done": True,
        "load": 0,
        "id": task_id,
        "status": "done",
    }
    assert "Location" not in response.headers


def test_failed(client: FlaskClient, manager: FakeManager) -> None:
    """A failed task is 200: done, with null outputs and an error inside."""
    task_id = ask(client, 6)["id"]
    manager.finish(task_id, b'{"number": 6, "error": {"code": "c", "detail": "d"}}', State.FAILED)
    response = client.post("/factorize", json={"number": 6})
    answer = response.get_json()
    assert response.status_code == 200
    assert answer["error"] == {"code": "c", "detail": "d"}
    assert (answer["done"], answer["status"], answer["factorization"]) == (True, "failed", None)


def test_progress(client: FlaskClient, manager: FakeManager) -> None:
    """A running task says how far it is."""
    status = manager.tasks[ask(client, 6)["id"]]
    status.state, status.progress = State.RUNNING, (0.5, 'half "way"')
    manager.connect(connected=True)
    answer = ask(client, 6)
    assert answer["status"] == "running"
    assert answer["progress"] == {"fraction": 0.5, "message": 'half "way"'}


def test_array(client: FlaskClient, manager: FakeManager) -> None:
    """An array is answered in its order, in one round trip; a bad item's problem stands there."""
    items = [{"number": 6}, {"number": 1}, {"number": 7}, "x", {"number": 6}]
    response = client.post("/factorize", json=items)
    first, bad, second, worse, again = response.get_json()
    assert response.status_code == 200
    assert response.headers["Retry-After"] == "1"
    assert (first["number"], second["number"], again) == (6, 7, first)
    assert (bad["status"], bad["errors"][0]["pointer"]) == (422, "/number")
    assert worse["status"] == 422
    assert len(manager.rounds) == 1


def test_empty_array(client: FlaskClient, manager: FakeManager) -> None:
    """Nothing asked, nothing answered, nobody troubled."""
    response = client.post("/factorize", json=[])
    assert (response.status_code, response.get_json()) == (200, [])
    assert manager.rounds == []


def test_an_array_has_an_end(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """More inputs than one array may have are a 413."""
    monkeypatch.setattr("http_server.submit.parse.MOST_ITEMS", 3)
    items = [{"number": number} for number in range(2, 6)]
    assert client.post("/factorize", json=items[:3]).status_code == 200
    assert_problem(client.post("/factorize", json=items), 413)


def test_array_of_finished(client: FlaskClient, manager: FakeManager) -> None:
    """When all are done there is nothing to come back for."""
    items = [{"number": number} for number in range(2, 12)]
    client.post("/factorize", json=items)
    manager.finish_all()
    response = client.post("/factorize", json=items)
    assert all(answer["done"] for answer in response.get_json())
    assert "Retry-After" not in response.headers


def test_model_picks_the_task_type(client: FlaskClient, manager: FakeManager) -> None:
    """`model` picks one of an endpoint's types; without it the first answers."""
    for model in ({}, {"model": "roberta"}, {"model": "bert"}):
        client.post("/question-answering", json={"question": "q", **model})
    asked = [round_[0].type for round_ in manager.rounds]
    assert asked[0] == "question-answering/roberta"
    assert asked[-1] == "question-answering/bert"
    assert len(manager.tasks) == 2


def test_overloaded(client: FlaskClient, manager: FakeManager) -> None:
    """A new task above `max_load` is a 503; what is known already is still answered."""
    known = ask(client, 6)["id"]
    manager.full = True
    response = client.post("/factorize", json={"number": 7})
    assert_problem(response, 503)
    assert int(response.headers["Retry-After"]) >= 1
    old, new = client.post("/factorize", json=[{"number": 6}, {"number": 7}]).get_json()
    assert (old["id"], new["status"]) == (known, 503)
    assert "error" not in new


def test_a_failure_is_met_once(client: FlaskClient, manager: FakeManager) -> None:
    """What asking before Flask has met, Flask words; it does not ask, and wait, once more."""
    for _ in range(2):  # a body that is new, and one that was read before
        manager.full, manager.down = True, False
        manager.rounds.clear()
        assert_problem(client.post("/factorize", json={"number": 7}), 503)
        manager.down = True
        assert_problem(client.post("/factorize", json={"number": 7}), 503)
        assert len(manager.rounds) == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/factorize"),
        ("GET", "/tasks/{id}"),
        ("DELETE", "/tasks/{id}"),
        ("GET", "/load"),
        ("GET", "/load/factorization"),
        ("GET", "/readyz"),
    ],
)
def test_redis_away(client: FlaskClient, manager: FakeManager, method: str, path: str) -> None:
    """Without Redis everything that needs it is a 503 with `Retry-After`, and well again after."""
    path = path.format(id=ask(client, 6)["id"])
    body: dict[str, Any] = {"json": {"number": 8}} if method == "POST" else {}
    manager.down = True
    response = client.open(path, method=method, **body)
    assert_problem(response, 503)
    assert response.headers["Retry-After"] == "1"
    assert "nowhere" not in response.text
    manager.down = False
    assert client.open(path, method=method, **body).status_code < 300


def test_asking_does_not_need_flask(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request context takes longer than most answers."""
    monkeypatch.setattr(app, "request_context", None)
    assert ask(app.test_client(), 6)["status"] == "waiting"


def test_unexpected_errors_tell_nothing(client: FlaskClient, manager: FakeManager) -> None:
    """A bug is a 500 problem without a stack trace."""
    manager.broken = True
    for response in (client.post("/factorize", json={"number": 6}), client.get("/load")):
        assert_problem(response, 500)
        assert "secret" not in response.text


def test_discard(client: FlaskClient, manager: FakeManager) -> None:
    """`Cache-Control: no-cache` drops a finished answer, and it is computed again."""
    task_id = ask(client, 6)["id"]
    manager.finish(task_id, DONE)
    assert ask(client, 6)["done"]
    response = client.post("/factorize", json={"number": 6}, headers={"Cache-Control": "no-cache"})
    assert response.status_code == 202
    assert manager.discarded == [task_id]
    assert not ask(client, 6)["done"]


def test_unknown_things(client: FlaskClient) -> None:
    """Unknown paths, tasks and types are 404 problems."""
    for path in ("/nix", "/factorize/", "/tasks/", "/tasks/zz", "/tasks/" + "0" * 40):
        assert_problem(client.get(path), 404)
    assert_problem(client.get("/load/nix"), 404)


def test_root_leads_to_the_docs(client: FlaskClient) -> None:
    """Whoever opens the server in a browser sees what can be asked."""
    response = client.get("/")
    assert (response.status_code, response.headers["Location"]) == (307, "/docs")


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/factorize", "GET", {"POST", "OPTIONS"}),
        ("/factorize", "DELETE", {"POST", "OPTIONS"}),
        ("/tasks/x", "POST", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("/load", "POST", {"GET", "HEAD", "OPTIONS"}),
        ("/healthz", "PUT", {"GET", "HEAD", "OPTIONS"}),
        ("/docs", "BREW", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_wrong_methods(client: FlaskClient, path: str, method: str, allowed: set[str]) -> None:
    """A wrong method is a 405 with `Allow`, and OPTIONS tells the same."""
    response = client.open(path, method=method)
    assert_problem(response, 405)
    assert set(response.headers["Allow"].split(", ")) == allowed
    options = client.options(path)
    assert (options.status_code, options.data) == (204, b"")
    assert set(options.headers["Allow"].split(", ")) == allowed


def test_head_is_get_without_a_body(client: FlaskClient) -> None:
    """HEAD tells the length and sends nothing."""
    response = client.head("/healthz")
    assert (response.status_code, response.data) == (200, b"")
    assert int(response.headers["Content-Length"]) == len(client.get("/healthz").data)


def test_health(client: FlaskClient, app: Flask) -> None:
    """All health routes are well, until the server drains."""
    for path in ("/healthz", "/readyz", "/ping", "/healthcheck"):
        assert client.get(path).status_code == 200
    app.extensions["doneyet"].room.drain()
    assert_problem(client.get("/readyz"), 503)
    assert client.get("/healthz").status_code == 200


def test_load(client: FlaskClient, manager: FakeManager) -> None:
    """The load of all types, and of one; other versions that have tasks or workers stand apart."""
    ask(client, 6)
    manager.oldest_s, manager.others = 2.5, [Load("factorization", 1, 2, 0, "0")]
    told = client.get("/load").get_json()
    assert told["types"]["factorization"]["oldest_waiting_s"] == 2.5
    assert told["types"]["factorization"]["other_versions"] == [
        {"version": "0", "load": 3, "waiting": 1, "running": 2, "workers": 0, "paused": False}
    ]
    manager.oldest_s, manager.others = None, []
    assert told["load"] == 1
    assert told["types"]["factorization"]["waiting"] == 1
    client.post("/question-answering", json={"question": "q"})
    one = client.get("/load/question-answering/roberta").get_json()
    assert one == {
        "type": "question-answering/roberta",
        "load": 1,
        "waiting": 1,
        "running": 0,
        "workers": 1,
        "paused": False,
        "oldest_waiting_s": None,
    }


def test_pausing(client: FlaskClient, manager: FakeManager) -> None:
    """Both tell the type's load; a type that there is not is 404, as is a GET."""
    told = client.post("/types/question-answering/roberta/pause").get_json()
    assert (told["type"], told["paused"]) == ("question-answering/roberta", True)
    assert manager.paused == {"question-answering/roberta"}
    assert client.get("/load").get_json()["types"]["question-answering/roberta"]["paused"]
    assert client.post("/types/question-answering/roberta/pause").status_code == 200
    told = client.post("/types/question-answering/roberta/resume").get_json()
    assert (told["paused"], manager.paused) == (False, set())
    assert_problem(client.post("/types/nobody/pause"), 404)
    assert_problem(client.get("/types/factorization/pause"), 405)
    manager.cannot_pause = True
    assert_problem(client.post("/types/factorization/pause"), 501)
    manager.down = True
    assert_problem(client.post("/types/factorization/resume"), 503)


def test_task_by_id(client: FlaskClient, manager: FakeManager) -> None:
    """`GET /tasks/<id>` tells the answer and how the task went."""
    task_id = ask(client, 6)["id"]
    told = client.get(f"/tasks/{task_id}").get_json()
    assert (told["number"], told["done"], told["type"]) == (6, False, "factorization")
    assert told["submitted_at"] == "2023-11-14T22:13:20.000Z"
    assert (told["started_at"], told["finished_at"], told["attempts"]) == (None, None, 0)
    manager.finish(task_id, DONE)
    told = client.get(f"/tasks/{task_id}").get_json()
    assert told["factorization_str"] == "2^1 3^1"
    assert told["finished_at"] == "2023-11-14T22:13:20.123Z"


def test_cancel(client: FlaskClient, manager: FakeManager) -> None:
    """`DELETE` cancels once; then there is nothing to cancel any more."""
    task_id = ask(client, 6)["id"]
    response = client.delete(f"/tasks/{task_id}")
    told = response.get_json()
    assert response.status_code == 200
    assert (told["status"], told["done"], told["factorization"]) == ("cancelled", True, None)
    assert told["error"]["code"] == "cancelled"
    assert_problem(client.delete(f"/tasks/{task_id}"), 409)


def test_synchronous_shape(registry: Registry) -> None:
    """The synchronous queue mode answers with inputs and outputs alone."""

    class AtOnce(FakeManager):
        promises = FakeManager.promises.__class__(answers_at_once=True)

        def submit(self, tasks: Any, *, discard: bool = False) -> Any:
            super().submit(tasks, discard=discard)
            self.finish_all()
            return [self.tasks[task.id] for task in tasks]

    app = create_app(Settings(queue_mode="synchronous"), AtOnce(), registry)
    response = app.test_client().post("/factorize", json={"number": 6})
    assert response.status_code == 200
    assert response.get_json() == {"number": 6, "factorization": [], "factorization_str": "x"}
    app.extensions["doneyet"].close()


def ask(client: FlaskClient, number: int) -> dict[str, Any]:
    """The answer about `number`."""
    answer: dict[str, Any] = client.post("/factorize", json={"number": number}).get_json()
    return answer
