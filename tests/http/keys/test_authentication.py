"""Who is let in, and to what."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import Registry, load_registry
from http_server.app import create_app
from http_server.keys.key_file import Key
from http_server.keys.keyless import KEYLESS
from http_server.keys.roles import ENDPOINT, PERMISSIONS, PUBLIC, Role, least_role
from http_server.middleware.authentication import KEY, Authentication
from http_server.openapi.document import document
from http_server.wire.asker import asker_by_key
from task_manager import open_task_manager
from tests.helpers import wait_until
from tests.http.conftest import SETTINGS
from tests.http.fakes import FakeManager
from tests.http.keys.conftest import SECRETS, bearer, line

SIX = {"json": {"number": 6}}
UNKNOWN = "0" * 40
REQUESTS: dict[tuple[str, str], str] = {
    ("POST", ENDPOINT): "/factorize",
    ("GET", f"{ENDPOINT}/<task_id>"): f"/factorize/{UNKNOWN}",
    ("GET", "/tasks/<task_id>"): f"/tasks/{UNKNOWN}",
    ("DELETE", "/tasks/<task_id>"): f"/tasks/{UNKNOWN}",
    ("DELETE", "/tasks"): "/tasks?type=factorization&status=waiting",
    ("GET", "/docs/<file>"): "/docs/docs.css",
    ("GET", "/load/<type>"): "/load/factorization",
    ("GET", "/tasks/<task_id>/events"): f"/tasks/{UNKNOWN}/events",
    ("POST", "/types/<type>/pause"): "/types/factorization/pause",
    ("POST", "/types/<type>/resume"): "/types/factorization/resume",
}
"""A path for each row of the table whose route is not one."""


@pytest.mark.parametrize("path", sorted(PUBLIC))
def test_health_takes_no_key(keyed: FlaskClient, path: str) -> None:
    """Load balancers have none."""
    assert keyed.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/factorize"),
        ("post", "/factorize"),
        ("GET", "/factorize"),
        ("GET", "/"),
        ("GET", "/load"),
        ("GET", "/docs"),
        ("GET", "/docs/docs.css"),
        ("GET", "/openapi.json"),
        ("GET", "/tasks"),
        ("GET", "/workers"),
        ("GET", "/history"),
        ("GET", "/metrics"),
        ("GET", "/metrics/queue"),
        ("DELETE", "/tasks"),
        ("GET", f"/tasks/{UNKNOWN}"),
        ("DELETE", f"/tasks/{UNKNOWN}"),
        ("OPTIONS", "/load"),
        ("HEAD", "/load"),
        ("GET", "/nothing/here"),
        ("POST", "/nothing/here"),
        ("GET", "/healthz/"),
        ("GET", "//healthz"),
        ("GET", "/healthz/../load"),
    ],
)
def test_everything_else_takes_one(keyed: FlaskClient, method: str, path: str) -> None:
    """Also what is not there: 401 says how, and nothing of what there is."""
    reply = keyed.open(path, method=method)
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    if method != "HEAD":
        assert reply.get_json()["type"] == "urn:doneyet:problem:unauthorized"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer dyk_ask-secret"},
        {"Authorization": "bearer   dyk_ask-secret"},
        {"X-API-Key": "dyk_ask-secret"},
        {"Authorization": "Basic dXNlcjpwdw==", "X-API-Key": "dyk_ask-secret"},
    ],
)
def test_two_ways_to_show_a_key(keyed: FlaskClient, headers: dict[str, str]) -> None:
    """`Authorization` of another scheme may be a proxy's."""
    assert keyed.post("/factorize", headers=headers, **SIX).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer dyk_wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer"},
        {"Authorization": ""},
        {"Authorization": "dyk_ask-secret"},
        {"Authorization": "Basic dyk_ask-secret"},
        {"X-API-Key": "dyk_wrong"},
        {"X-API-Key": ""},
        {"X-API-Key": "é"},
        {"Authorization": "Bearer dyk_wrong", "X-API-Key": "dyk_ask-secret"},
        {"Cookie": "key=dyk_ask-secret"},
    ],
)
def test_what_is_no_key(keyed: FlaskClient, manager: FakeManager, headers: dict[str, str]) -> None:
    """Nothing is submitted; neither is it with the hash, nor with a key in the URL."""
    paths = ["/factorize", "/factorize?key=dyk_ask-secret&api_key=dyk_ask-secret"]
    for path in paths:
        assert keyed.post(path, headers=headers, **SIX).status_code == 401
    assert manager.rounds == []


def test_the_hash_is_no_key(keyed: FlaskClient, key_file: Path) -> None:
    """Whoever reads the file has nothing to send."""
    for word in key_file.read_text().split():
        assert keyed.get("/docs", headers=bearer(word)).status_code == 401


@pytest.mark.parametrize("role", Role, ids=lambda role: role.word)
@pytest.mark.parametrize("permission", PERMISSIONS, ids=lambda each: f"{each.method} {each.route}")
def test_roles(keyed: FlaskClient, permission: Any, role: Role) -> None:
    """Each may do what the table says, and gets 403 for the rest."""
    path = REQUESTS.get((permission.method, permission.route), permission.route)
    body: Any = SIX if permission.method == "POST" else {}
    headers = bearer(SECRETS[role.word])
    opened: Any = keyed.open(path, method=permission.method, headers=headers, **body)
    with opened as reply:
        if role >= permission.least:
            assert reply.status_code in (200, 202, 307, 404), reply.text
        else:
            assert reply.status_code == 403
            problem = reply.get_json()
            assert problem["type"] == "urn:doneyet:problem:forbidden"
            assert f"the role {permission.least.word}" in problem["detail"]


def test_what_each_role_is_for() -> None:
    """Those who ask see neither load nor metrics; only those who operate cancel."""
    may_not_ask = {(each.method, each.route) for each in PERMISSIONS if each.least > Role.ASK}
    assert may_not_ask == {
        ("POST", "/types/<type>/pause"),
        ("POST", "/types/<type>/resume"),
        ("POST", "/dashboard/login"),
        ("POST", "/dashboard/logout"),
        ("GET", "/load"),
        ("GET", "/load/<type>"),
        ("GET", "/tasks"),
        ("GET", "/workers"),
        ("GET", "/history"),
        ("GET", "/metrics"),
        ("GET", "/metrics/queue"),
        ("DELETE", "/tasks/<task_id>"),
        ("DELETE", "/tasks"),
    }
    assert least_role("DELETE", "/tasks/<task_id>") is Role.OPERATE


def test_a_route_that_nobody_thought_of_is_for_nobody(keyed_app: Flask, registry: Registry) -> None:
    """Denied by default, whatever the key; so each route of the application is in the table."""
    paths = frozenset(registry.endpoints)
    none: Any = None
    authentication = Authentication(none, none, none, keyed_app.url_map, paths)
    for rule in keyed_app.url_map.iter_rules():
        if rule.rule not in PUBLIC | KEYLESS:
            for method in rule.methods or ():
                route = authentication.route_of(rule.rule, method)
                assert least_role(method, route) is not None, (method, rule.rule)
    keyed_app.add_url_rule("/secrets", view_func=lambda: "all of them")
    reply = keyed_app.test_client().get("/secrets", headers=bearer(SECRETS["operate"]))
    assert reply.status_code == 403
    assert "no key permits it" in reply.get_json()["detail"]
    assert least_role("PUT", "/load") is None


def test_what_is_not_there_is_a_404(keyed: FlaskClient) -> None:
    """To whoever has a key, of any role; and a wrong method is a 405."""
    headers = bearer(SECRETS["ask"])
    assert keyed.post("/nothing/here", headers=headers, **SIX).status_code == 404
    assert keyed.put("/load", headers=headers).status_code == 405
    assert keyed.get("/factorize", headers=headers).status_code == 405


def test_keys_are_shown_nowhere(
    keyed: FlaskClient, manager: FakeManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in a reply nor in the log, when all goes wrong."""
    caplog.set_level(logging.DEBUG)
    manager.broken = True
    texts = []
    for secret in ("dyk_ask-secret", "dyk_wrong-secret"):
        for headers in (bearer(secret), {"X-API-Key": secret}):
            texts.append(keyed.post("/factorize", headers=headers, **SIX).text)
            texts.append(keyed.get("/load", headers=headers).text)
    assert "internal-error" in "".join(texts)
    assert "-secret" not in "".join(texts) + caplog.text


def test_web_pages_are_refused_first(keyed: FlaskClient) -> None:
    """A key does not make a page of another site this server's."""
    headers = {**bearer(SECRETS["operate"]), "Origin": "https://evil.example"}
    assert keyed.post("/factorize", headers=headers, **SIX).status_code == 403


def test_a_changed_file_counts(keyed: FlaskClient, key_file: Path) -> None:
    """Without a restart; see test_key_ring.py."""
    key_file.write_text(line("new", "ask", "dyk_new"))

    def lets_in() -> bool:
        return keyed.post("/factorize", headers=bearer("dyk_new"), **SIX).status_code == 202

    wait_until(lets_in, description="the new key is known")
    assert keyed.post("/factorize", headers=bearer(SECRETS["ask"]), **SIX).status_code == 401


def test_a_rate_of_a_key(key_file: Path, manager: FakeManager, registry: Registry) -> None:
    """By name, so two keys of one share it; other keys go by the setting, or are not limited."""
    fast, first, second = "dyk_fast", "dyk_slow1", "dyk_slow2"
    key_file.write_text(
        line("fast", "ask", fast)
        + line("slow", "ask", first, "rate=1")
        + line("slow", "ask", second, "rate=1")
    )
    app = create_app(dataclasses.replace(SETTINGS, keys=str(key_file)), manager, registry)

    def codes(secret: str, count: int) -> list[int]:
        client = app.test_client()
        asked = [client.post("/factorize", headers=bearer(secret), **SIX) for _ in range(count)]
        return [reply.status_code for reply in asked]

    assert codes(first, 3) + codes(second, 4) == [202] * 5 + [429] * 2
    assert codes(fast, 50) == [202] * 50
    app.extensions["doneyet"].close()
    limited = dataclasses.replace(SETTINGS, keys=str(key_file), client_rate=2.0)
    app = create_app(limited, manager, registry)
    assert codes(first, 6) == [202] * 5 + [429]
    assert codes(fast, 11) == [202] * 10 + [429]  # from the same address
    app.extensions["doneyet"].close()


@pytest.fixture
def fair_app(redis_url: str, key_file: Path, registry: Registry) -> Iterator[Flask]:
    """A server that takes turns between keys."""
    settings = dataclasses.replace(
        SETTINGS, redis_url=redis_url, queue_mode="distributed", keys=str(key_file)
    )
    key_file.write_text(
        line("light", "ask", "dyk_light", "priority=3")
        + line("heavy", "ask", "dyk_heavy", "weight=2")
    )
    app = create_app(settings, registry=registry)
    yield app
    app.extensions["doneyet"].close()


def test_keys_take_turns(fair_app: Flask, redis_url: str) -> None:
    """All requests come from one address, but each key has its share, and its best priority."""

    def submit(secret: str, *numbers: int, **more: str) -> None:
        body = [{"number": number} for number in numbers]
        client = fair_app.test_client()
        reply = client.post("/factorize", json=body, headers={**bearer(secret), **more})
        assert reply.status_code == 200

    settings = dataclasses.replace(SETTINGS, redis_url=redis_url, queue_mode="distributed")
    manager = open_task_manager(settings, load_registry(SETTINGS).types)
    manager.renew({"o": ["factorization"]}, lease_s=60)
    submit("dyk_light", *range(100, 140), Priority="1")  # which becomes 3
    submit("dyk_heavy", *range(200, 240))
    submit("dyk_heavy", 7, Priority="1")
    claims = [claim.input for claim in manager.claim("o", ["factorization"], 13)]
    manager.close()
    numbers = [int(text.split(b":")[1].rstrip(b"}")) for text in claims]
    assert numbers[0] == 7
    assert sum(100 <= number < 140 for number in numbers) == 4
    assert sum(200 <= number < 240 for number in numbers) == 8


@pytest.mark.parametrize(
    ("wish", "best", "got"), [("1", 2, 2), ("2", 2, 2), ("4", 2, 4), (None, 2, 3), (None, 4, 4)]
)
def test_the_best_priority_of_a_key(wish: str | None, best: int, got: int) -> None:
    """A more urgent wish becomes the most urgent one that is permitted; none is refused."""
    environ: dict[str, Any] = {KEY: Key("a", Role.ASK, "", weight=3, priority=best)}
    environ |= {} if wish is None else {"HTTP_PRIORITY": wish}
    assert asker_by_key(Settings(client_max_waiting=9))(environ) == ("a", got, 3, 9)


def test_weights_by_address_go_with_no_keys() -> None:
    """Refused at the start: there are no addresses then."""
    with pytest.raises(SettingError, match=r"DONEYET_CLIENT_WEIGHTS.*weight=N"):
        Settings(keys="keys.txt", client_weights="10.0.0.7=4")


def test_the_document_says_so(keyed_settings: Settings, registry: Registry) -> None:
    """Which schemes, where none is needed, and what the refusals are."""
    told = document(registry, keyed_settings)
    OpenAPIV31SpecValidator(told).validate()
    schemes = told["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"}
    assert told["security"] == [{name: []} for name in schemes]
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            if path in PUBLIC:
                assert operation["security"] == []
            else:
                assert "security" not in operation
                assert {"401", "403"} <= operation["responses"].keys(), path
    without = document(registry, SETTINGS)
    assert without["security"] == []
    assert "securitySchemes" not in without["components"]
    assert "401" not in without["paths"]["/load"]["get"]["responses"]
