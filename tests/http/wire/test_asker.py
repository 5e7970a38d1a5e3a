"""Who asks, and whose turn it is then."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.middleware.client_address import ClientAddress
from http_server.wire.asker import asker_by
from http_server.wire.problem import Problem
from task_manager import open_task_manager
from task_manager.interface import TaskManager
from tests.http.conftest import SETTINGS
from tests.http.fakes import FakeManager

TYPE, OWNER = "factorization", "o"
PROXY = "10.0.0.1"


def address(remote: str, forwarded: str = "", trusted: str = "10.0.0.0/8, fd00::/8") -> str:
    """Whom a request from `remote` is by."""
    environ: dict[str, Any] = {"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded}
    return ClientAddress(Settings(trusted_proxies=trusted)).of(environ)


def test_a_client_without_a_proxy() -> None:
    """It is where the request comes from."""
    assert address("192.0.2.7") == "192.0.2.7"
    assert address("") == ""


def test_who_is_no_trusted_proxy_names_nobody() -> None:
    """Anybody can write a header."""
    assert address("192.0.2.7", "198.51.100.1") == "192.0.2.7"
    assert address(PROXY, "198.51.100.1", trusted="") == PROXY


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:5555", "192.0.2.7"),  # as some gateways write it
        ("[2001:db8::7]:443, 10.1.1.1:80", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("203.0.113.9, 192.0.2.7", "192.0.2.7"),  # the first is what the client wrote
        ("192.0.2.7, 10.1.1.1", "192.0.2.7"),  # through two proxies of ours
        ("192.0.2.7, fd00::5 , 10.1.1.1", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),  # however it is written
        ("192.0.2.7, unknown", PROXY),
        ("10.1.1.1", "10.1.1.1"),  # a client of our own network
        ("", PROXY),
        ("unknown", PROXY),
        ("192.0.2.7\n5 9 evil", PROXY),
        ("x" * 100_000, PROXY),
    ],
)
def test_the_client_behind_proxies(forwarded: str, client: str) -> None:
    """The rightmost address that is no proxy's; the proxy itself where there is none."""
    assert address(PROXY, forwarded) == client
    assert address(f"::ffff:{PROXY}", forwarded).removeprefix("::ffff:") == client


@pytest.mark.parametrize(
    ("wish", "priority"),
    [("1", 1), (" 5 ", 5), ("3", 3), ("u=1, i", 3), ("", 3), ("high", 3), ("2.5", 3)],
)
def test_priorities(wish: str, priority: int) -> None:
    """Numbers; what browsers send under that name is about something else."""
    asker = asker_by(lambda _: "a", Settings())
    assert asker({"HTTP_PRIORITY": wish}) == ("a", priority, 1, 0)


@pytest.mark.parametrize("wish", ["0", "6", "-1", "+9", "99999999999999999999"])
def test_numbers_that_are_no_priority(wish: str) -> None:
    """Refused, saying what is one."""
    with pytest.raises(Problem, match=r"1 .first. to 5 .last.") as caught:
        asker_by(lambda _: "a", Settings())({"HTTP_PRIORITY": wish})
    assert caught.value.status == 400


def test_weights() -> None:
    """By address; all others have one."""
    asker = asker_by(
        lambda environ: environ["REMOTE_ADDR"], Settings(client_weights="192.0.2.7=4, fd00::1=2")
    )
    weights = [asker({"REMOTE_ADDR": each}).weight for each in ("192.0.2.7", "fd00::1", "b")]
    assert weights == [4, 2, 1]


@pytest.mark.parametrize(
    "weights",
    [
        "a",
        "a=4",
        "::1",
        "::1=",
        "::1=0",
        "::1=101",
        "::1=1.5",
        "=4",
        "10.0.0.0/33=4",
        "10.0.0.7=4;::1=2",
    ],
)
def test_wrong_weights(weights: str, registry: Registry) -> None:
    """Refused at the start, naming the setting."""
    settings = dataclasses.replace(SETTINGS, queue_mode="distributed", client_weights=weights)
    with pytest.raises(SettingError, match="DONEYET_CLIENT_WEIGHTS"):
        create_app(settings, registry=registry)


def test_wrong_proxies(registry: Registry) -> None:
    """Refused at the start, naming the setting."""
    settings = dataclasses.replace(SETTINGS, trusted_proxies="10.0.0.0/33")
    with pytest.raises(SettingError, match=r"DONEYET_TRUSTED_PROXIES.*10\.0\.0\.0/33"):
        create_app(settings, FakeManager(), registry)


@pytest.fixture
def fair_manager(redis_url: str, registry: Registry) -> Iterator[TaskManager]:
    """What claims beside the application."""
    settings = dataclasses.replace(SETTINGS, redis_url=redis_url, queue_mode="distributed")
    manager = open_task_manager(settings, registry.types)
    manager.renew({OWNER: [TYPE]}, lease_s=60)
    yield manager
    manager.close()


@pytest.fixture
def fair_app(redis_url: str, registry: Registry) -> Iterator[Flask]:
    """A server behind a proxy, one of whose clients has twice the share."""
    settings = dataclasses.replace(
        SETTINGS,
        redis_url=redis_url,
        queue_mode="distributed",
        trusted_proxies=PROXY,
        client_weights="192.0.2.2=2",
    )
    app = create_app(settings, registry=registry)
    yield app
    app.extensions["doneyet"].close()


def submit(app: Flask, client: str, *numbers: int, **headers: str) -> None:
    """One array of a client behind the proxy."""
    reply = app.test_client().post(
        "/factorize",
        json=[{"number": number} for number in numbers],
        headers={"X-Forwarded-For": client, **headers},
        environ_overrides={"REMOTE_ADDR": PROXY},
    )
    assert reply.status_code == 200, reply.text


def test_turns_over_http(fair_app: Flask, fair_manager: TaskManager) -> None:
    """Clients take turns as their weights are, and a priority comes first; what another client
    asks for already is moved on."""
    submit(fair_app, "192.0.2.1", *range(100, 140))
    submit(fair_app, "192.0.2.2", *range(200, 240))
    submit(fair_app, "192.0.2.3", 7, Priority="1")
    claims = [claim.input for claim in fair_manager.claim(OWNER, [TYPE], 13)]
    numbers = [int(text.split(b":")[1].rstrip(b"}")) for text in claims]
    assert numbers[0] == 7
    assert sum(100 <= number < 140 for number in numbers) == 4
    assert sum(200 <= number < 240 for number in numbers) == 8
    submit(fair_app, "192.0.2.4", *range(100, 140))
    submit(fair_app, "192.0.2.5", *range(139, 99, -1))
    claims = [claim.input for claim in fair_manager.claim(OWNER, [TYPE], 8)]
    assert b'{"number":139}' in claims


def test_no_client_fills_the_queue(redis_url: str, registry: Registry) -> None:
    """New tasks above what a client may have waiting are a 429; those that wait are told."""
    settings = dataclasses.replace(
        SETTINGS, redis_url=redis_url, queue_mode="distributed", client_max_waiting=2
    )
    app = create_app(settings, registry=registry)
    client = app.test_client()
    numbers = [{"number": n} for n in (6, 7, 8)]
    waiting, _, refused = client.post("/factorize", json=numbers).get_json()
    assert (waiting["status"], refused["status"]) == ("waiting", 429)
    single = client.post("/factorize", json=numbers[2])
    assert single.status_code == 429
    assert single.get_json()["type"] == "urn:doneyet:problem:client-overloaded"
    assert "DONEYET_CLIENT_MAX_WAITING" in single.get_json()["detail"]
    assert int(single.headers["Retry-After"]) >= 1
    assert client.post("/factorize", json=numbers[0]).status_code == 202
    other = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.1"}}
    assert client.post("/factorize", json=numbers[2], **other).status_code == 202
    app.extensions["doneyet"].close()


@pytest.mark.parametrize("pick", ["random", "oldest"])
def test_settings_that_make_no_difference(
    pick: str, redis_url: str, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever sets them hears that this queue knows no clients."""
    settings = dataclasses.replace(
        SETTINGS, redis_url=redis_url, queue_mode="distributed", pick=pick, client_max_waiting=2
    )
    app = create_app(settings, registry=registry)
    assert "DONEYET_CLIENT_MAX_WAITING: without effect" in caplog.text
    client = app.test_client()
    answers = client.post("/factorize", json=[{"number": n} for n in (6, 7, 8)]).get_json()
    assert [answer["status"] for answer in answers] == ["waiting"] * 3
    app.extensions["doneyet"].close()
