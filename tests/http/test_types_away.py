"""What is told where a node of a cluster is away, and with it some task types."""

from __future__ import annotations

import logging

import pytest
from flask.testing import FlaskClient

from http_server import redis_outage
from http_server.redis_outage import Outage
from task_manager.errors import UnavailableError
from tests.http.fakes import FakeManager

AWAY = "factorization"


@pytest.fixture(autouse=True)
def is_away(manager: FakeManager) -> None:
    """One type is."""
    manager.types_away = {AWAY}


def test_inputs_of_that_type_alone_are_unavailable(client: FlaskClient) -> None:
    """Others are accepted by the same server; an array of nothing else is refused as a whole."""
    told = client.post("/factorize", json={"number": 6})
    assert (told.status_code, told.get_json()["type"]) == (503, "urn:doneyet:problem:unavailable")
    assert told.headers["retry-after"] == "1"
    assert client.post("/factorize", json=[{"number": 6}, {"number": 7}]).status_code == 503
    assert client.post("/factorize", json=[]).status_code == 200
    mixed = client.post("/factorize", json=[{"number": 6}, {"number": "x"}])
    assert [each["status"] for each in mixed.get_json()] == [503, 422]
    assert client.post("/upper", json={"text": "a"}).status_code == 202


def test_a_held_request_is_told_at_once(client: FlaskClient) -> None:
    """As where Redis is away as a whole."""
    told = client.post("/factorize", json={"number": 6}, headers={"Prefer": "wait=5"})
    assert told.status_code == 503


def test_the_load_of_what_is_away_is_never_nothing(client: FlaskClient) -> None:
    """It is said that it is not known; so is the sum."""
    client.post("/upper", json={"text": "a"})
    told = client.get("/load").get_json()
    assert (told["load"], told["waiting"], told["running"]) == (None, None, None)
    assert told["unavailable"] == [AWAY]
    assert AWAY not in told["types"]
    assert told["types"]["upper"]["load"] == 1
    assert client.get(f"/load/{AWAY}").status_code == 503
    assert client.get("/load/upper").get_json()["load"] == 1


@pytest.mark.parametrize("path", ["/tasks", "/workers", "/history", "/load"])
def test_lists_name_what_they_lack(client: FlaskClient, manager: FakeManager, path: str) -> None:
    """And where nothing is lacking, say nothing of it."""
    assert client.get(path).get_json()["unavailable"] == [AWAY]
    manager.types_away = set()
    assert "unavailable" not in client.get(path).get_json()


def test_a_list_of_nothing_else(client: FlaskClient) -> None:
    """There is none, rather than an empty one."""
    assert client.get(f"/tasks?type={AWAY}").status_code == 503


def test_metrics_have_no_figures_of_it(client: FlaskClient) -> None:
    """But one, which says so."""
    told = client.get("/metrics/queue").text
    assert f'doneyet_unavailable{{type="{AWAY}"}} 1.0' in told
    assert 'doneyet_unavailable{type="upper"} 0.0' in told
    of_it = [line for line in told.splitlines() if f'type="{AWAY}"' in line]
    assert len(of_it) == 1
    assert 'doneyet_tasks{state="waiting",type="upper"}' in told


def test_a_part_is_ready(client: FlaskClient) -> None:
    """All servers lack the same: a load balancer without any would end what still works."""
    assert client.get("/readyz").status_code == 200


def test_it_is_told_once(
    client: FlaskClient,
    manager: FakeManager,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often others work meanwhile; and once that it is back."""
    monkeypatch.setattr(redis_outage, "QUIET_S", 0.0)
    with caplog.at_level(logging.WARNING):
        for n in range(3):
            client.post("/factorize", json={"number": 6 + n})
            client.post("/upper", json={"text": f"a{n}"})
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "away in part" in caplog.messages[0]
        manager.types_away = set()
        client.post("/factorize", json={"number": 6})
    assert "is back" in caplog.messages[-1]
    assert len(caplog.messages) == 2


def test_a_type_that_nobody_asks_for_is_no_trouble(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what happens later would not be told."""
    monkeypatch.setattr(redis_outage, "QUIET_S", 0.0)
    outage = Outage()
    outage.failed(Outage.of_type(AWAY), UnavailableError("away in part"))
    outage.worked(Outage.SUBMITS)
    assert outage.known
    monkeypatch.setattr(redis_outage, "FORGOTTEN_S", 0.0)
    outage.worked(Outage.SUBMITS)
    assert not outage.known
