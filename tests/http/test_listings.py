"""`/tasks` as a list, `/workers` and `/history`: what whoever is on duty looks at."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.metrics.hours import AGAIN_S, EVERY_S, HourKeeper
from task_manager.listing import RunningTask, WorkerSeen
from task_manager.values import State
from tests.helpers import wait_until
from tests.http.conftest import SETTINGS, System
from tests.http.fakes import FakeManager

PENDING = {"error": None, "progress": None}


def submit(client: FlaskClient, *numbers: int) -> list[str]:
    """Their ids."""
    body = [{"number": number} for number in numbers]
    return [each["id"] for each in client.post("/factorize", json=body).get_json()]


def page(client: FlaskClient, query: str = "") -> dict[str, Any]:
    """What `/tasks` tells."""
    reply = client.get(f"/tasks{query}")
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.get_json()
    return told


def test_tasks_are_listed(client: FlaskClient, manager: FakeManager) -> None:
    """Each as it is: with its error where it failed, its progress where it runs; nothing else."""
    done, failed, running, cancelled = submit(client, 6, 7, 8, 9)
    manager.finish(done, b'{"number":6,"factorization_str":"2 3"}')
    manager.finish(failed, b'{"number":7,"error":{"code":"c","detail":"d"}}', State.FAILED)
    manager.run(running, 0.5, "half")
    manager.cancel("factorization", cancelled)
    told = {each["id"]: each for each in page(client)["tasks"]}
    assert told[failed] == {
        "id": failed,
        "type": "factorization",
        "status": "failed",
        "attempts": 0,
        "submitted_at": "2023-11-14T22:13:20.000Z",
        "started_at": None,
        "finished_at": "2023-11-14T22:13:20.123Z",
        "error": {"code": "c", "detail": "d"},
    }
    assert told[running]["progress"] == {"fraction": 0.5, "message": "half"}
    assert told[cancelled]["error"]["code"] == "cancelled"
    assert "error" not in told[done]
    assert len(told) == 4


def test_tasks_are_chosen_and_paged(client: FlaskClient, manager: FakeManager) -> None:
    """By type, status and how ids begin; `next` is for the next page, null on the last."""
    known = submit(client, *range(2, 12))
    manager.finish(known[0], b"{}")
    assert [each["id"] for each in page(client, "?status=done")["tasks"]] == [known[0]]
    assert page(client, "?type=upper")["tasks"] == []
    assert page(client, f"?id={known[3][:20]}")["tasks"][0]["id"] == known[3]
    told: list[str] = []
    after: str | None = ""
    while after is not None:
        one = page(client, f"?type=factorization&status=waiting&limit=4{after}")
        told += [each["id"] for each in one["tasks"]]
        after = one["next"] and f"&after={one['next']}"
    assert sorted(told) == sorted(known[1:])
    by_time = page(client, "?limit=3")
    rest = page(client, f"?after={by_time['next']}")
    assert len({each["id"] for each in [*by_time["tasks"], *rest["tasks"]]}) == 10
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("type=nix", 404, "no task type 'nix'"),
        ("status=ready", 400, "waiting, running, done, failed, cancelled"),
        ("limit=0", 400, "from 1 to 200"),
        ("limit=201", 400, "from 1 to 200"),
        ("limit=ten", 400, "from 1 to 200"),
        ("id=abc", 400, "first 4"),
        ("id=abc*", 400, "first 4"),
        ("id=", 400, "first 4"),
        ("after=", 400, "told as next"),
        ("after=bm9uc2Vuc2U", 400, "told as next"),
        ("after=%ff%00", 400, "told as next"),
        ("after=" + "W" * 5000, 400, "told as next"),
        ("after=WyIiLC01LCJcdWQ4MDAiXQ", 400, "told as next"),  # half of a character
        ("limits=5", 400, "type, status, id, limit, after"),
        ("limit=5&limit=6", 400, "2 times"),
    ],
)
def test_what_is_no_list(client: FlaskClient, query: str, status: int, said: str) -> None:
    """It is said what is wrong, and what would be right."""
    reply = client.get(f"/tasks?{query}")
    assert reply.status_code == status
    assert said in reply.get_json()["detail"]


@pytest.mark.parametrize("path", ["/tasks", "/workers", "/history"])
def test_parameters_that_are_no_text(client: FlaskClient, path: str) -> None:
    """Bytes that are not UTF-8, as they are, not percent-encoded."""
    reply = client.get(path, environ_overrides={"QUERY_STRING": "type=\u00ff"})
    assert reply.status_code == 400
    assert "UTF-8 (byte 5)" in reply.get_json()["detail"]


def test_a_cursor_belongs_to_one_kind_of_list(client: FlaskClient) -> None:
    """That of the waiting says nothing in a list by time, nor the reverse."""
    submit(client, 2, 3, 4)
    by_time = page(client, "?limit=1")["next"]
    in_turn = page(client, "?limit=1&status=waiting")["next"]
    assert client.get(f"/tasks?after={in_turn}").status_code == 400
    assert client.get(f"/tasks?after={by_time}&status=waiting").status_code == 400


def test_waiting_tasks_are_cancelled(client: FlaskClient, manager: FakeManager) -> None:
    """All that wait of one type, in rounds; those that run go on, and other types' wait."""
    ids = submit(client, *range(2, 1300))
    manager.run(ids[0], 0.1, "")
    client.post("/sleep", json={"seconds": 1})
    reply = client.delete("/tasks?type=factorization&status=waiting")
    assert (reply.status_code, reply.get_json()) == (200, {"cancelled": 1297, "left": 1})
    assert manager.tasks[ids[0]].state is State.RUNNING
    assert client.get(f"/tasks/{ids[5]}").get_json()["error"]["code"] == "cancelled"


def test_cancelling_takes_no_longer_than_a_request_may(
    client: FlaskClient, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many wait: then it tells how many are left."""
    monkeypatch.setattr("http_server.routes.listings.LONGEST_CANCEL_S", 0.0)
    submit(client, *range(2, 502))
    told = client.delete("/tasks?type=factorization&status=waiting").get_json()
    assert told == {"cancelled": 200, "left": 300}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?type=factorization", 400),
        ("?status=waiting", 400),
        ("?type=factorization&status=running", 400),
        ("?type=factorization&status=waiting&id=abcd", 400),
        ("?type=nix&status=waiting", 404),
    ],
)
def test_what_cancels_nothing(
    client: FlaskClient, manager: FakeManager, query: str, status: int
) -> None:
    """Whoever does not say exactly that all which wait of one type are meant."""
    (known,) = submit(client, 6)
    reply = client.delete(f"/tasks{query}")
    assert reply.status_code == status
    assert manager.tasks[known].state is State.WAITING
    if status == 400 and "id=" not in query:
        assert "DELETE /tasks?type=TYPE&status=waiting" in reply.get_json()["detail"]


def test_where_waiting_tasks_are_in_no_list(client: FlaskClient, manager: FakeManager) -> None:
    """501, with what to do about it; without a status they are left out."""
    manager.cannot_list = True
    waiting, done = submit(client, 6, 7)
    manager.finish(done, b"{}")
    for reply in (
        client.get("/tasks?status=waiting"),
        client.delete("/tasks?type=factorization&status=waiting"),
    ):
        assert reply.status_code == 501
        told = reply.get_json()
        assert told["type"] == "urn:doneyet:problem:cannot-list"
        assert "--distributed" in told["detail"]
    assert [each["id"] for each in page(client)["tasks"]] == [done]
    assert manager.tasks[waiting].state is State.WAITING


def test_workers_are_listed(client: FlaskClient, manager: FakeManager) -> None:
    """By owner and type, with what they run and since when."""
    running = [RunningTask("a" * 40, 1_700_000_000_000)]
    manager.seen_workers = [WorkerSeen("host:1", "factorization", "1", running, 7)]
    assert client.get("/workers").get_json() == {
        "workers": [
            {
                "owner": "host:1",
                "type": "factorization",
                "version": "1",
                "running": [{"id": "a" * 40, "started_at": "2023-11-14T22:13:20.000Z"}],
                "running_count": 7,
            }
        ]
    }
    assert client.get("/workers?type=x").status_code == 400


def test_history(client: FlaskClient, manager: FakeManager) -> None:
    """What happened in each of the last minutes, the oldest first; means of what has some."""
    now = int(time.time() // 60) + 1  # Redis' clock may be ahead
    manager.minutes = {
        now: {"new": 3, "cached": 9, "done": 2, "wait_4": 1, "wait_5": 3, "wait_ms": 1000},
        now - 2: {"failed": 1, "crashed": 2, "cancelled": 4, "abandoned": 5, "run_1": 2},
        now - 400: {"new": 100},
    }
    told = client.get("/history?minutes=3").get_json()
    assert told["minutes"] == [60 * (now - 2), 60 * (now - 1), 60 * now]
    assert told["types"]["factorization"] == {
        "submitted": [0, 0, 3],
        "done": [0, 0, 2],
        "failed": [3, 0, 0],
        "cancelled": [4, 0, 0],
        "abandoned": [5, 0, 0],
        "wait_s": [None, None, 0.25],
        "run_s": [0, None, None],
    }
    usual = client.get("/history").get_json()
    assert len(usual["minutes"]) == len(usual["types"]["factorization"]["done"]) == 60
    assert sum(client.get("/history?minutes=480").get_json()["types"]["factorization"]["submitted"])
    for wrong in ("0", "481", "x"):
        assert client.get(f"/history?minutes={wrong}").status_code == 400


def test_hours_where_none_are_kept(client: FlaskClient, manager: FakeManager) -> None:
    """The setting is named; nobody asks Redis for any."""
    reply = client.get("/history?hours=24")
    assert reply.status_code == 501
    assert reply.get_json()["type"] == "urn:doneyet:problem:no-hours"
    assert "DONEYET_HOURLY_HISTORY=on" in reply.get_json()["detail"]
    assert client.get("/history").get_json()["kept"] == {"minutes": 480, "hours": 0}
    assert manager.hours_asked == 0


def test_hours(manager: FakeManager, registry: Registry) -> None:
    """As minutes, up to 30 days of them; the server has them kept, also when Redis was away."""
    now = int(time.time() // 3600) + 1  # Redis' clock may be ahead
    manager.told_hours = {now: {"new": 3, "done": 2}, now - 2: {"failed": 1}, now - 719: {"new": 9}}
    app = create_app(replace(SETTINGS, hourly_history="on"), manager, registry)
    service = app.extensions["doneyet"]
    wait_until(lambda: manager.hours_asked, description="hours are kept")
    client = app.test_client()
    told = client.get("/history?hours=3").get_json()
    assert told["hours"] == [3600 * (now - 2), 3600 * (now - 1), 3600 * now]
    assert told["types"]["factorization"]["failed"] == [1, 0, 0]
    assert told["types"]["factorization"]["submitted"] == [0, 0, 3]
    assert told["kept"] == {"minutes": 480, "hours": 720}
    month = client.get("/history?hours=720").get_json()["types"]["factorization"]["submitted"]
    assert (len(month), sum(month)) == (720, 12)
    for wrong in ("hours=0", "hours=721", "hours=x", "hours=3&minutes=3"):
        assert client.get(f"/history?{wrong}").status_code == 400
    service.close()
    kept = HourKeeper(manager, ["factorization"])
    assert kept.run_once() == EVERY_S
    manager.down = True
    assert kept.run_once() == AGAIN_S
    manager.down, manager.broken = False, True
    assert kept.run_once() == AGAIN_S


@pytest.mark.parametrize("path", ["/tasks", "/workers", "/history"])
def test_redis_is_away(client: FlaskClient, manager: FakeManager, path: str) -> None:
    """503, never an empty list."""
    manager.down = True
    assert client.get(path).status_code == 503


def test_a_system_tells_what_it_does(system: System) -> None:
    """Of a real server: what runs, on which worker, and then what came of it."""
    asked = requests.post(f"{system.url}/sleep", json={"seconds": 1.5}, timeout=10).json()

    def told(path: str) -> Any:
        reply = requests.get(f"{system.url}{path}", timeout=10)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def running() -> Any:
        return told("/tasks?status=running")["tasks"]

    (one,) = wait_until(running, description="it runs")
    assert one["id"] == asked["id"]
    busy = [each for each in told("/workers")["workers"] if each["running_count"]]
    assert [each["running"][0]["id"] for each in busy] == [asked["id"]]
    (done,) = wait_until(lambda: told("/tasks?status=done")["tasks"], description="it is done")
    assert done["id"] == asked["id"]
    assert done["finished_at"] > done["started_at"] >= done["submitted_at"]
    assert sum(told("/history")["types"]["sleep"]["done"]) == 1
    assert requests.get(f"{system.url}/history?hours=1", timeout=10).status_code == 501


def test_a_system_tells_why_tasks_failed(system: System) -> None:
    """As the answer itself, however much is echoed before it."""
    body = {"text": "fail", "extra": "x" * 50_000}
    headers = {"Prefer": "wait=5"}
    answer = requests.post(f"{system.url}/upper", json=body, headers=headers, timeout=10).json()
    listed = requests.get(f"{system.url}/tasks?status=failed&type=upper", timeout=10).json()
    assert [each["error"] for each in listed["tasks"]] == [answer["error"]]
