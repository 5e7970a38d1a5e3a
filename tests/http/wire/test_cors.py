"""Pages of other sites that `DONEYET_CORS_ORIGINS` lists may use the server; all others may not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.middleware.access import Access
from http_server.middleware.cors import EXPOSED, Cors
from tests.http.conftest import SETTINGS
from tests.http.fakes import FakeManager
from tests.http.keys.conftest import bearer, line

APP = "https://app.example.org"
PAGE = {"Origin": APP, "Sec-Fetch-Site": "cross-site"}
PREFLIGHT = {**PAGE, "Access-Control-Request-Method": "POST"}

Listing = Callable[..., FlaskClient]


@pytest.fixture
def listing(manager: FakeManager, registry: Registry) -> Iterator[Listing]:
    """Makes an application that lists some origins; the client asks it."""
    apps = []

    def make(origins: str = f"{APP}, http://localhost:3000", **more: Any) -> FlaskClient:
        settings = dataclasses.replace(SETTINGS, cors_origins=origins, **more)
        apps.append(create_app(settings, manager, registry))
        return apps[-1].test_client()

    yield make
    for app in apps:
        app.extensions["doneyet"].close()


@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
@pytest.mark.parametrize("origin", [APP, "http://localhost:3000"])
def test_a_listed_page_submits_and_reads(listing: Listing, origin: str, site: str | None) -> None:
    """The reply names its origin, and the headers that a client needs may be read."""
    headers = {"Origin": origin, **({"Sec-Fetch-Site": site} if site else {})}
    reply = listing().post("/factorize", json={"number": 6}, headers=headers)
    assert reply.status_code == 202
    assert reply.headers["Access-Control-Allow-Origin"] == origin
    exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
    assert exposed == list(EXPOSED)
    assert {"Location", "Retry-After", "Preference-Applied"} <= set(exposed)
    assert "Origin" in reply.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize(
    "origin",
    [
        *("https://app.example.org.evil.example", "https://evil.example", "http://app.example.org"),
        *("https://app.example.org:8443", "https://www.app.example.org", "http://127.0.0.1:3000"),
        *("http://localhost:30001", "null", "", f"{APP},{APP}", f"{APP} {APP}", f"{APP}/"),
    ],
)
def test_all_others_stay_refused(listing: Listing, origin: str) -> None:
    """An origin is compared as a whole: scheme, host, port. The refusal cannot be read either."""
    for site in ({"Sec-Fetch-Site": "cross-site"}, {}):
        for client in (listing(), listing("")):
            headers = {"Origin": origin, **site}
            reply = client.post("/factorize", json={"number": 6}, headers=headers)
            assert reply.status_code == 403
            assert reply.get_json()["type"] == "urn:doneyet:problem:foreign-page"
            asked = {**headers, "Access-Control-Request-Method": "POST"}
            preflight = client.options("/factorize", headers=asked)
            assert preflight.status_code == 403
            for each in (reply, preflight):
                assert "Access-Control-Allow-Origin" not in each.headers


def test_a_page_that_does_not_say_where_it_is_from(listing: Listing) -> None:
    """Images, scripts and frames have no `Origin`: a list lets none of them in, `*` neither."""
    for client in (listing(), listing("*")):
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
            assert client.get("/load", headers=headers).status_code == 403


def test_the_refusal_names_the_setting(client: FlaskClient) -> None:
    """Whoever writes such a page learns how it is let in."""
    assert "DONEYET_CORS_ORIGINS" in client.get("/load", headers=PAGE).get_json()["detail"]


@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
def test_a_preflight(listing: Listing, method: str) -> None:
    """It is asked before everything that no form could send, and kept for ten minutes."""
    wanted = "authorization,content-type,prefer,x-api-key"
    asked = {**PREFLIGHT, "Access-Control-Request-Method": method}
    headers = {**asked, "Access-Control-Request-Headers": wanted}
    reply = listing().options("/factorize", headers=headers)
    assert (reply.status_code, reply.data) == (204, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == APP
    assert method in reply.headers["Access-Control-Allow-Methods"].split(", ")
    assert reply.headers["Access-Control-Allow-Headers"] == wanted
    assert reply.headers["Access-Control-Max-Age"] == "600"
    varied = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    assert reply.headers["Vary"] == varied
    assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize("wanted", ["a b", "a\tb", "x:y", "(", "a" * 3000])
def test_no_header_is_repeated_that_is_none(listing: Listing, wanted: str) -> None:
    """A preflight that asks for junk permits no header."""
    headers = {**PREFLIGHT, "Access-Control-Request-Headers": wanted}
    reply = listing().options("/factorize", headers=headers)
    assert reply.status_code == 204
    assert "Access-Control-Allow-Headers" not in reply.headers


def test_options_is_no_preflight_by_itself(listing: Listing) -> None:
    """What a route allows is told to a listed page, too."""
    reply = listing().options("/factorize", headers=PAGE)
    assert reply.headers["Allow"] == "OPTIONS, POST"
    assert reply.headers["Access-Control-Allow-Origin"] == APP


def test_problems_can_be_read(listing: Listing) -> None:
    """Whoever refuses: a route, a limit, or the look at the host."""
    client = listing(client_rate=1.0)
    statuses = set()
    for _ in range(10):
        reply = client.post("/factorize", json={"number": 1}, headers=PAGE)
        statuses.add(reply.status_code)
        assert reply.headers["Access-Control-Allow-Origin"] == APP
    assert statuses == {422, 429}
    reply = listing().get("/load", headers={**PAGE, "Host": "evil.example"})
    assert reply.status_code == 403
    assert reply.headers["Access-Control-Allow-Origin"] == APP


def test_keys_are_needed_all_the_same(listing: Listing, tmp_path: Path) -> None:
    """A preflight cannot have one; the request must."""
    keys = tmp_path / "keys.txt"
    keys.write_text(line("ask", "ask", "dyk_ask-secret"))
    client = listing(keys=str(keys))
    assert client.options("/factorize", headers=PREFLIGHT).status_code == 204
    refused = client.post("/factorize", json={"number": 6}, headers=PAGE)
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == APP
    sent = {**PAGE, **bearer("dyk_ask-secret")}
    assert client.post("/factorize", json={"number": 6}, headers=sent).status_code == 202


@pytest.mark.parametrize("origins", [APP, "*"])
def test_cookies_of_another_site_are_not_read(origins: str) -> None:
    """A page that may ask may not act as whoever is logged in here in the same browser."""
    seen = []

    def app(environ: dict[str, str], _: object) -> list[bytes]:
        seen.append(environ.get("HTTP_COOKIE"))
        return []

    access = Access(Settings(cors_origins=origins))
    around = access.cors.around(app, access.is_own)
    at_page = {"HTTP_HOST": "box", "REQUEST_METHOD": "POST", "HTTP_COOKIE": "login=1"}
    for origin, site in ((APP, "same-site"), (APP, ""), ("http://box", "same-origin")):
        sent = {**at_page, "HTTP_ORIGIN": origin, **({"HTTP_SEC_FETCH_SITE": site} if site else {})}
        around(sent, lambda *_: lambda _: None)
    assert seen == [None, None, "login=1"]


def test_everybody(listing: Listing) -> None:
    """`*` lets in every page that says where it is from, also from a sandbox."""
    client = listing("*")
    for origin in (APP, "https://evil.example", "null"):
        headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
        reply = client.post("/factorize", json={"number": 6}, headers=headers)
        assert reply.status_code == 202
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in reply.headers
        preflight = client.options("/factorize", headers={**PREFLIGHT, "Origin": origin})
        assert preflight.headers["Access-Control-Allow-Origin"] == "*"


def test_caches_tell_pages_apart(listing: Listing) -> None:
    """A reply that was kept for one origin, or for none, is not shown to another."""
    client = listing()
    for headers in ({}, PAGE, {"Sec-Fetch-Site": "same-origin"}):
        with client.get("/docs/docs.js", headers=headers) as reply:
            assert reply.headers["Vary"] == "Origin"
            assert ("Access-Control-Allow-Origin" in reply.headers) == (headers is PAGE)


def test_without_the_setting_nothing_is_said(client: FlaskClient) -> None:
    """No reply varies, and none allows an origin."""
    reply = client.post("/factorize", json={"number": 6})
    assert not {"Vary", "Access-Control-Allow-Origin"} & set(reply.headers.keys())


@pytest.mark.parametrize(
    ("origins", "origin"),
    [
        ("HTTPS://App.Example.org", APP),
        ("https://app.example.org:443", APP),
        ("http://box:80", "http://box"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://127.0.0.1:5173 ,", "http://127.0.0.1:5173"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
    ],
)
def test_origins_are_written_as_people_do(origins: str, origin: str) -> None:
    """As browsers send them: in small letters, without the usual port."""
    assert Cors(Settings(cors_origins=origins)).allows(origin)


@pytest.mark.parametrize(
    "wrong",
    [
        *("app.example.org", "https://", "https://app.example.org/", "https://a.org/x", "null"),
        *("https://*.example.org", "https://user@a.org", "https://a b", "https://a.org:http"),
        *("//a.org", "https://b\xfccher.example", "https://a.org?x", "https://a..org", "file://"),
    ],
)
def test_what_is_no_origin_is_refused_at_start(wrong: str) -> None:
    """With the setting's name and the value."""
    with pytest.raises(SettingError, match=r"^DONEYET_CORS_ORIGINS must be origins") as caught:
        Cors(Settings(cors_origins=f"{APP},{wrong}"))
    assert repr(wrong) in str(caught.value)


def test_everybody_and_somebody(listing: Listing) -> None:
    """`*` beside an origin would mean that the list means nothing."""
    with pytest.raises(SettingError, match=r"^DONEYET_CORS_ORIGINS: \* stands alone"):
        Cors(Settings(cors_origins=f"*,{APP}"))
