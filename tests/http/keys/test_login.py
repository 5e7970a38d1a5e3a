"""The dashboard's login: a cookie in the place of a key, which ends when the key does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.keys.key_file import sha256_of
from http_server.keys.keyless import KEYLESS
from http_server.keys.session_cookie import SessionCookie
from http_server.keys.sessions import SESSION_S
from http_server.middleware.access import Access
from tests.helpers import connect, wait_until
from tests.http.conftest import SETTINGS
from tests.http.fakes import FakeManager
from tests.http.keys.conftest import SECRETS, line
from tests.http.servers import serving

OWN = {"Origin": "http://localhost"}
SIX = {"json": {"number": 6}}
COOKIE = SessionCookie(SETTINGS).plain
SECURE = SessionCookie(SETTINGS).secure
BY_TLS = {"X-Forwarded-Proto": "https"}


def log_in(client: FlaskClient, role: str = "operate", **more: str) -> Any:
    """What the page's form does."""
    headers = {"X-API-Key": SECRETS[role], **OWN, **more}
    return client.post("/dashboard/login", headers=headers)


def by_hand(client: FlaskClient) -> FlaskClient:
    """One that sends the cookies that it is told to, and keeps none."""
    return client.application.test_client(use_cookies=False)


@pytest.mark.parametrize("path", sorted(KEYLESS))
def test_the_page_needs_no_key(keyed: FlaskClient, path: str) -> None:
    """It is the same for everybody, and tells nothing; a wrong key makes no difference."""
    for headers in ({}, {"X-API-Key": "dyk_wrong"}, {"Cookie": f"{COOKIE}=wrong"}):
        with by_hand(keyed).get(path, headers=headers) as reply:
            assert reply.status_code == 200
            assert b"factorization" not in reply.data


def test_paths_beside_the_page_need_one(keyed: FlaskClient) -> None:
    """A path is known in full, or it is not."""
    for path in ("/dashboard/", "/dashboard/nothing", "/dashboard/../load", "/dashboard//main.js"):
        assert keyed.get(path).status_code == 401, path


def test_the_cookie(keyed: FlaskClient) -> None:
    """No script reads it, no other site sends it, and it goes with the browser's session."""
    reply = log_in(keyed, "read")
    assert reply.get_json() == {"keys": True, "name": "read", "role": "read"}
    (cookie,) = reply.headers.getlist("Set-Cookie")
    value, *attributes = cookie.split("; ")
    assert value.startswith(f"{COOKIE}=")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Strict"}
    assert SECRETS["read"] not in cookie
    assert sha256_of(SECRETS["read"]) not in cookie


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://localhost"}, {"X-Forwarded-Proto": "https"}],
    ids=lambda each: next(iter(each)),
)
def test_over_https_it_stays_there(keyed: FlaskClient, headers: dict[str, str]) -> None:
    """The browser's origin says so, or the proxy that speaks TLS. By its name browsers take it only
    from this host, and only by TLS; and forget it by that name."""
    for reply in (
        log_in(keyed, **headers),
        by_hand(keyed).post(
            "/dashboard/logout", headers={**OWN, "X-API-Key": SECRETS["read"], **headers}
        ),
    ):
        (cookie,) = reply.headers.getlist("Set-Cookie")
        value, *attributes = cookie.split("; ")
        assert value.startswith("__Host-doneyet_session_")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(attributes)
        assert not any(each.startswith("Domain") for each in attributes)


def test_what_others_put_in_its_place(keyed: FlaskClient) -> None:
    """A cookie without the prefix may be of a page without TLS, or of another host of the domain:
    by TLS it is none, and beside one that has the prefix it counts for nothing."""
    asking = by_hand(keyed)
    mine, theirs = (
        log_in(by_hand(keyed), role).headers["Set-Cookie"].partition(";")[0].partition("=")[2]
        for role in ("operate", "read")
    )

    def name(cookie: str, **more: str) -> str | None:
        headers = {"Cookie": cookie, **more}
        told: str | None = asking.get("/dashboard/session", headers=headers).get_json()["name"]
        return told

    assert name(f"{COOKIE}={theirs}") == "read"
    assert name(f"{COOKIE}={theirs}", **BY_TLS) is None
    assert name(f"{SECURE}={mine}", **BY_TLS) == "operate"
    for both in (f"{COOKIE}={theirs}; {SECURE}={mine}", f"{SECURE}={mine}; {COOKIE}={theirs}"):
        assert name(both) == name(both, **BY_TLS) == "operate"


def test_deployments_of_one_host_have_names_of_their_own() -> None:
    """Since browsers keep cookies by host. At a path of a proxy the cookie is for that alone."""
    made = [
        SessionCookie(dataclasses.replace(SETTINGS, key_prefix=prefix, root_path=path))
        for path in ("", "/ml")
        for prefix in ("doneyet", "other")
    ]
    assert len({each.plain for each in made}) == len({each.secure for each in made}) == 4
    prefixes = [each.secure.removesuffix(each.plain) for each in made]
    assert prefixes == ["__Host-"] * 2 + ["__Secure-"] * 2


def test_it_is_as_good_as_the_key(keyed: FlaskClient) -> None:
    """With the role of the key; each request is the key's."""
    assert keyed.get("/load").status_code == 401
    log_in(keyed, "operate")
    assert keyed.get("/load").status_code == keyed.get("/docs").status_code == 200
    assert keyed.post("/factorize", headers=OWN, **SIX).status_code == 202
    assert keyed.post("/types/factorization/pause", headers=OWN).status_code == 200
    assert keyed.get("/dashboard/session").get_json()["name"] == "operate"


def test_who_may_only_look(keyed: FlaskClient) -> None:
    """The role `read` sees, and neither pauses nor cancels."""
    log_in(keyed, "read")
    assert keyed.get("/load").status_code == 200
    refused = keyed.post("/types/factorization/pause", headers=OWN)
    assert refused.status_code == 403
    assert "the role operate" in refused.get_json()["detail"]


def test_who_may_not(keyed: FlaskClient) -> None:
    """A key that is none is a 401, one that may only ask a 403 that says so; no cookie comes."""
    wrong = keyed.post("/dashboard/login", headers={"X-API-Key": "dyk_wrong", **OWN})
    asks = log_in(keyed, "ask")
    none = keyed.post("/dashboard/login", headers=OWN)
    assert [reply.status_code for reply in (wrong, asks, none)] == [401, 403, 401]
    assert "has the role ask" in asks.get_json()["detail"]
    for reply in (wrong, asks, none):
        assert "Set-Cookie" not in reply.headers


def test_a_login_makes_no_other(keyed: FlaskClient) -> None:
    """Whoever has copied a cookie could have one for ever, whatever its owner logs out of."""
    log_in(keyed)
    refused = keyed.post("/dashboard/login", headers=OWN)
    assert refused.status_code == 401
    assert "Set-Cookie" not in refused.headers
    assert keyed.get("/load").status_code == 200  # still logged in


UNSAFE = [("POST", "/factorize"), ("DELETE", "/tasks/1"), ("POST", "/dashboard/logout")]


@pytest.mark.parametrize(("method", "path"), UNSAFE)
@pytest.mark.parametrize(
    "headers",
    [
        {},  # a form of an old browser, or no page at all
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "none", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site", **OWN},
    ],
    ids=str,
)
def test_what_changes_something_must_come_from_the_page(
    keyed: FlaskClient, manager: FakeManager, method: str, path: str, headers: dict[str, str]
) -> None:
    """Browsers send a cookie whoever asks them to, so they must say that this server's page did."""
    log_in(keyed)
    refused = keyed.open(path, method=method, headers=headers)
    assert refused.status_code == 403
    assert refused.get_json()["type"] == "urn:doneyet:problem:foreign-page"
    assert manager.rounds == []
    assert keyed.get("/load").status_code == 200  # still logged in


@pytest.mark.parametrize(
    ("site", "origin", "own"),
    [
        ("same-origin", "https://a.example.org", True),
        ("same-origin", "null", True),
        (None, "https://a.example.org", True),  # over plain HTTP browsers say no more
        (None, "https://evil.example", False),
        ("same-site", "https://a.example.org", False),  # another name that the setting has
        ("cross-site", "https://a.example.org", False),
        ("same-origin", None, False),
        (None, None, False),
    ],
)
def test_which_page_is_the_servers_own(site: str | None, origin: str | None, own: bool) -> None:
    """The browser's word counts; where it has none, the origin does."""
    access = Access(dataclasses.replace(SETTINGS, hosts="*.example.org"))
    sent = {"HTTP_SEC_FETCH_SITE": site, "HTTP_ORIGIN": origin, "HTTP_HOST": "b.example.org"}
    told = {name: value for name, value in sent.items() if value is not None}
    assert access.is_own_page(told) is own


def test_a_proxy_that_changes_the_host(keyed: FlaskClient) -> None:
    """The browser's own word for the origin counts, as it does without keys."""
    log_in(keyed)
    headers = {"Origin": "http://example.org", "Sec-Fetch-Site": "same-origin"}
    assert keyed.post("/factorize", headers=headers, **SIX).status_code == 202


def test_a_key_in_a_header_needs_no_page(keyed: FlaskClient) -> None:
    """Programs send no origin, and no page of another site can send a header like this."""
    log_in(keyed, "read")
    pause = "/types/factorization/pause"
    assert keyed.post(pause, headers={"X-API-Key": SECRETS["operate"]}).status_code == 200


def test_logging_out(keyed: FlaskClient) -> None:
    """The browser forgets the cookie, and a copy of it is worth nothing."""
    cookie = log_in(keyed).headers["Set-Cookie"].partition(";")[0]
    assert by_hand(keyed).get("/load", headers={"Cookie": cookie}).status_code == 200
    reply = keyed.post("/dashboard/logout", headers=OWN)
    assert reply.status_code == 200
    assert "Max-Age=0" in reply.headers["Set-Cookie"]
    assert by_hand(keyed).get("/load", headers={"Cookie": cookie}).status_code == 401
    assert keyed.get("/dashboard/session").get_json() == {"keys": True, "name": None, "role": None}


def test_it_dies_with_the_key(keyed: FlaskClient, key_file: Path) -> None:
    """Within the second in which the key does; other logins go on."""
    log_in(keyed, "read")
    other = keyed.application.test_client()
    log_in(other, "operate")
    key_file.write_text(line("operate", "operate", SECRETS["operate"]))
    wait_until(lambda: keyed.get("/load").status_code == 401, description="the login is over")
    assert "log in again" in keyed.get("/load").get_json()["detail"]
    assert other.get("/load").status_code == 200


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "é" * 43, "x" * 4000, f"; {COOKIE}=x"])
def test_what_is_no_login(keyed: FlaskClient, token: str) -> None:
    """A 401, whatever was sent."""
    headers = {"Cookie": f"{COOKIE}={token}"}
    assert by_hand(keyed).get("/load", headers=headers).status_code == 401


def test_without_keys_everybody_may(client: FlaskClient) -> None:
    """There is no login then."""
    told = client.get("/dashboard/session").get_json()
    assert told == {"keys": False, "name": None, "role": "operate"}
    assert client.post("/dashboard/login", headers=OWN).status_code == 404


@pytest.fixture
def two_servers(redis_url: str, key_file: Path, registry: Registry) -> Iterator[list[FlaskClient]]:
    """Two servers of one deployment."""
    settings = dataclasses.replace(SETTINGS, redis_url=redis_url, keys=str(key_file))
    apps = [create_app(settings, registry=registry) for _ in range(2)]
    yield [app.test_client() for app in apps]
    for app in apps:
        app.extensions["doneyet"].close()


def test_every_server_knows_a_login(two_servers: list[FlaskClient], redis_url: str) -> None:
    """Wherever it was made; and ends it. Redis keeps neither the cookie nor the key."""
    first, second = map(by_hand, two_servers)
    cookie = log_in(first).headers["Set-Cookie"].partition(";")[0]
    assert second.get("/load", headers={"Cookie": cookie}).status_code == 200
    with connect(redis_url) as client:
        (key,) = client.scan_iter("doneyet:shared:*")
        kept = key + client.get(key)
        assert 0 < client.ttl(key) <= SESSION_S
    token = cookie.partition("=")[2]
    assert token.encode() not in kept
    assert SECRETS["operate"].encode() not in kept
    second.post("/dashboard/logout", headers={"Cookie": cookie, **OWN})
    assert first.get("/load", headers={"Cookie": cookie}).status_code == 401


def test_what_redis_keeps_is_no_login(two_servers: list[FlaskClient], redis_url: str) -> None:
    """Whoever reads it has nothing to send."""
    log_in(two_servers[0])
    with connect(redis_url) as client:
        (key,) = client.scan_iter("doneyet:shared:*")
        words = key.decode().rpartition("session-")[2], client.get(key).decode()
    for word in words:
        reply = by_hand(two_servers[1]).get("/load", headers={"Cookie": f"{COOKIE}={word}"})
        assert reply.status_code == 401


def test_while_redis_is_away(key_file: Path) -> None:
    """503, not 401: the login is not over. The page itself is served."""
    with serving("--keys", str(key_file)) as server:
        cookie = {COOKIE: "x" * 43}
        asked = requests.get(f"{server.url}/load", cookies=cookie, timeout=10)
        session = requests.get(f"{server.url}/dashboard/session", cookies=cookie, timeout=10)
        page = requests.get(f"{server.url}/dashboard", cookies=cookie, timeout=10)
    assert (asked.status_code, session.status_code, page.status_code) == (503, 503, 200)
    assert asked.headers["Retry-After"]
