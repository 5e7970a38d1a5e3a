"""Web pages of other sites are refused, whatever way they make a browser send a request."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.middleware.access import ALWAYS_ANSWERED, DOCUMENTATION, MOST_HOSTS, Access
from tests.http.conftest import SETTINGS, System
from tests.http.fakes import FakeManager

HOSTS = "Example.org, *.apps.example.org,xn--bcher-kva.example:8443 , *.local"


@pytest.fixture
def known(registry: Registry) -> Iterator[FlaskClient]:
    """A server that is reached by the names in `HOSTS`."""
    app = create_app(dataclasses.replace(SETTINGS, hosts=HOSTS), FakeManager(), registry)
    yield app.test_client()
    app.extensions["doneyet"].close()


def submit(client: FlaskClient, **headers: str) -> tuple[int, str]:
    """The status of a submission with `headers`, and the kind of problem where it is refused."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = client.post("/factorize", json={"number": 6}, headers=named)
    return reply.status_code, (reply.get_json().get("type") or "").rpartition(":")[2]


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LocalHost", "localhost:8080", "localhost.", "localhost:", "app.localhost"),
        *("127.0.0.1", "127.0.0.1:8123", "127.0.0.1.", "10.1.2.3", "0.0.0.0", "203.0.113.7:80"),
        *("[::1]", "[::1]:8080", "[2001:DB8::1]:443", "[::ffff:127.0.0.1]"),
        *("http-server", "http-server:8080", "doneyet_http_server_1", "HTTP-SERVER.", "2130706433"),
    ],
)
def test_hosts_that_nobody_can_have_lead_here(client: FlaskClient, host: str) -> None:
    """Addresses, localhost, and names that the public DNS does not have: each is served."""
    assert submit(client, Host=host) == (202, "")


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8080", "EVIL.example.", "localhost.evil.example"),
        *("127.0.0.1.evil.example", "127.0.0.1.nip.io", "127.1", "1.2.3.4.5", "256.1.1.1"),
        *("0177.0.0.1", "notlocalhost.example", "a..b", "doneyet.default.svc"),
    ],
)
def test_foreign_hosts(client: FlaskClient, host: str) -> None:
    """A name with dots may be anybody's; 403 says which setting lets it in."""
    assert submit(client, Host=host) == (403, "foreign-host")
    for method, path in (("GET", "/docs"), ("DELETE", "/tasks/1"), ("OPTIONS", "/factorize")):
        status = client.open(path, method=method, headers={"Host": host}).status_code
        assert status == 403, (method, path)


@pytest.mark.parametrize("host", ["[1::2::3]", "[127.0.0.1.2]", "[::::]", "."])
def test_what_only_looks_like_an_address(host: str) -> None:
    """It is no name that could be ours either."""
    problem = Access(Settings()).problem({"PATH_INFO": "/load", "HTTP_HOST": host})
    assert problem is not None
    assert problem.status == 403


def test_a_foreign_host_is_told_what_to_set(client: FlaskClient) -> None:
    """The problem names the host and the setting."""
    reply = client.get("/load", headers={"Host": "api.example.org:8080"})
    assert reply.content_type == "application/problem+json"
    assert "host name 'api.example.org'" in reply.get_json()["detail"]
    assert "DONEYET_HOSTS" in reply.get_json()["detail"]


@pytest.mark.parametrize(
    "host",
    [
        *("", ",", "localhost,localhost", "localhost, evil.example", "evil.example,localhost"),
        *("user:pw@localhost", "@localhost", "localhost/x", "http://localhost", "local host"),
        *("localhost:http", "localhost:80:80", "localhost:123456", "::1", "[::1", "[::1]x"),
        *("[::1%25eth0]", "b\xfccher.example", "lo\xa0calhost", "a" * 256, "localhost\t", ":80"),
    ],
)
def test_one_host_that_is_a_host(host: str) -> None:
    """No `Host`, two of them (which the server joins by a comma), or no host name: 400."""
    problem = Access(Settings()).problem({"PATH_INFO": "/load", "HTTP_HOST": host})
    assert problem is not None
    assert (problem.status, problem.kind) == (400, "bad-request")
    assert "one Host header" in problem.detail


def test_no_host_at_all() -> None:
    """As in HTTP/1.0; no browser sends that."""
    problem = Access(Settings()).problem({"PATH_INFO": "/load"})
    assert problem is not None
    assert problem.status == 400


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("example.org", 202),
        ("EXAMPLE.org.:8443", 202),
        ("x.apps.example.org", 202),
        ("x.y.apps.example.org", 202),
        ("xn--bcher-kva.example", 202),
        ("box.local:8080", 202),
        ("localhost", 202),
        ("apps.example.org", 403),
        ("evilapps.example.org", 403),
        ("www.example.org", 403),
        ("example.org.evil.example", 403),
        ("box.locale", 403),
    ],
)
def test_hosts_that_the_setting_names(known: FlaskClient, host: str, status: int) -> None:
    """A name is itself; `*.` is whatever stands before the rest; case and ports do not matter."""
    assert submit(known, Host=host)[0] == status


def test_the_address_that_it_listens_at_is_its_name() -> None:
    """`--host box.example.org` says it already."""
    access = Access(Settings(host="Box.example.org"))
    assert access.problem({"PATH_INFO": "/", "HTTP_HOST": "box.example.org:8080"}) is None


@pytest.mark.parametrize(
    "hosts",
    [
        *("*", "*.", "*example.org", "a.*.org", "https://example.org", "example.org/x", "a b"),
        *("b\xfccher.example", "example..org", "-x.org", "x-.org", "[::1]", "a@b", "\u212aelvin"),
    ],
)
def test_what_is_no_host_name_is_refused_at_start(hosts: str) -> None:
    """With the setting's name and the value."""
    with pytest.raises(SettingError, match=r"^DONEYET_HOSTS must be host names") as caught:
        Access(Settings(hosts=f"example.org,{hosts}"))
    assert repr(hosts) in str(caught.value)


SITES = [
    ("same-origin", 202),
    ("none", 202),
    ("cross-site", 403),
    ("same-site", 403),  # another port of the same host
    ("none,cross-site", 403),
    ("", 403),
    ("anything", 403),
]


@pytest.mark.parametrize(("site", "status"), SITES)
def test_what_the_browser_says_of_the_page(client: FlaskClient, site: str, status: int) -> None:
    """`Sec-Fetch-Site` cannot be set by pages."""
    assert submit(client, Sec_Fetch_Site=site)[0] == status
    deleted = client.delete("/tasks/1", headers={"Sec-Fetch-Site": site})
    assert (deleted.status_code == 403) == (status == 403)


def test_a_form_of_another_site(client: FlaskClient) -> None:
    """The problem says that a page sent it, and how that shows."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    reply = client.post("/factorize", data={"number": "6"}, headers=headers)
    assert reply.status_code == 403
    assert reply.get_json()["type"] == "urn:doneyet:problem:foreign-page"
    assert "Sec-Fetch-Site: cross-site" in reply.get_json()["detail"]
    assert "DONEYET_HOSTS" in reply.get_json()["detail"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://192.168.1.5:8080", 202),
        ("HTTP://192.168.1.5:8080", 202),
        ("https://example.org", 202),  # a proxy that does not pass `Host` on
        ("http://example.org:8000", 202),
        ("http://192.168.1.5", 403),
        ("http://192.168.1.5:3000", 403),
        ("http://localhost:8080", 403),
        ("http://evil.example", 403),
        ("http://example.org.evil.example", 403),
        ("http://192.168.1.5:8080.evil.example", 403),
        ("null", 403),
        ("", 403),
        ("192.168.1.5:8080", 403),
        ("http://192.168.1.5:8080,http://192.168.1.5:8080", 403),
    ],
)
def test_where_browsers_say_only_the_origin(known: FlaskClient, origin: str, status: int) -> None:
    """Without TLS, and not at loopback, they send no `Sec-Fetch-Site`."""
    assert submit(known, Host="192.168.1.5:8080", Origin=origin)[0] == status


@pytest.mark.parametrize(
    ("host", "origin"),
    [("box", "http://box:80"), ("box:80", "http://box"), ("box:443", "https://box")],
)
def test_the_usual_ports_may_be_left_out(client: FlaskClient, host: str, origin: str) -> None:
    """In either header."""
    assert submit(client, Host=host, Origin=origin) == (202, "")


def test_the_browsers_word_counts_more_than_the_origin(client: FlaskClient) -> None:
    """A page behind a proxy that changes `Host` is still this server's page."""
    sent = {"Origin": "https://api.example.org", "Host": "http-server:8080"}
    assert submit(client, **sent)[0] == 403
    assert submit(client, **sent, Sec_Fetch_Site="same-origin")[0] == 202
    assert submit(client, Origin="http://localhost", Sec_Fetch_Site="cross-site")[0] == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0"])
def test_other_ports_of_the_address_are_other_sites(host: str) -> None:
    """That the server listens at loopback makes no other page there one of its own."""
    shown = f"[{host}]" if ":" in host else host
    sent = {"PATH_INFO": "/load", "HTTP_HOST": "box", "HTTP_ORIGIN": f"http://{shown}:3000"}
    problem = Access(Settings(host=host)).problem(sent)
    assert problem is not None
    assert problem.kind == "foreign-page"


LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize("path", sorted(DOCUMENTATION))
def test_a_link_may_lead_to_the_documentation(client: FlaskClient, path: str) -> None:
    """From a wiki, say, in a tab of its own: no frame, no script, no form, no foreign host."""
    assert client.get(path, headers=LINK).status_code in (200, 307)
    for changed in (
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Host": "evil.example"},
    ):
        assert client.get(path, headers={**LINK, **changed}).status_code == 403, changed
    assert client.post(path, headers=LINK).status_code == 403


def test_a_link_leads_to_nothing_else(client: FlaskClient) -> None:
    """What is asked here is nobody else's business."""
    for path in ("/load", "/tasks/1", "/factorize/1", "/docs/docs.js", "/docs/"):
        assert client.get(path, headers=LINK).status_code == 403, path


def test_nothing_but_health_is_told_to_everybody() -> None:
    """Whoever adds a path here tells it to every page that a visitor has open."""
    assert {"/healthz", "/readyz", "/ping", "/healthcheck"} == ALWAYS_ANSWERED


@pytest.mark.parametrize("path", ["/metrics", "/metrics/queue", "/load", "/tasks/1/events"])
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, LINK, {"Origin": "null"}], ids=str)
def test_what_operators_see_is_not_told_to_pages(
    client: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    """By whatever way a page of another site asks."""
    assert client.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("path", sorted(ALWAYS_ANSWERED))
def test_health_is_told_to_everybody(client: FlaskClient, path: str) -> None:
    """A load balancer has whatever name for us."""
    for headers in ({"Host": "10-0-0-1.pods.example"}, {"Host": ""}, {**LINK, "Origin": "null"}):
        assert client.get(path, headers=headers).status_code == 200, headers


def test_no_reply_can_be_loaded_by_another_site(client: FlaskClient) -> None:
    """Nor read as something else, nor shown in a frame; and no origin is allowed to read any."""
    client.post("/factorize", json={"number": 6})
    paths = ["/", "/docs", "/docs/docs.js", "/openapi.json", "/load", "/tasks/1", "/nothing"]
    for path in [*paths, *ALWAYS_ANSWERED]:
        with client.get(path) as response:
            headers = response.headers
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin", path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert "Access-Control-Allow-Origin" not in headers, path
    refused = client.get("/load", headers=LINK).headers
    assert refused["Cross-Origin-Resource-Policy"] == "same-origin"
    page = client.get("/docs").headers
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"


def test_remembered_hosts_are_few() -> None:
    """However many names are made up, and refused ones are not kept."""
    access = Access(Settings())
    for n in range(MOST_HOSTS + 10):
        assert access.problem({"PATH_INFO": "/", "HTTP_HOST": f"box{n}"}) is None
        assert access.problem({"PATH_INFO": "/", "HTTP_HOST": f"{n}.example"}) is not None
    assert 0 < len(access.good_hosts) <= MOST_HOSTS
    assert not any("example" in host for host in access.good_hosts)


def test_a_foreign_page_uses_up_nobodys_rate(registry: Registry) -> None:
    """What is refused here is not counted for the visitor's address."""
    app = create_app(dataclasses.replace(SETTINGS, client_rate=1.0), FakeManager(), registry)
    client = app.test_client()
    for _ in range(20):
        assert submit(client, Sec_Fetch_Site="cross-site")[0] == 403
    assert submit(client)[0] == 202
    app.extensions["doneyet"].close()


def over_a_socket(url: str, head: str) -> tuple[int, bytes]:
    """Status and body of one request that is written byte for byte."""
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode("latin-1"))
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    return int(reply.split()[1]), reply.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /load HTTP/1.1\r\nHost: localhost", 200),
        ("GET /load HTTP/1.1\r\nHost: evil.example", 403),
        ("GET /load HTTP/1.1\r\nHost: localhost\r\nHost: localhost", 400),
        ("GET /load HTTP/1.1\r\nHost: localhost\r\nHost: evil.example", 400),
        ("GET /load HTTP/1.1", 400),
        ("GET /load HTTP/1.0", 400),
        ("GET /load HTTP/1.1\r\nHost: b\xfccher.example", 400),
        ("GET http://evil.example/load HTTP/1.1", 403),
        ("GET /load HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost", 403),
        ("GET /load HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: null", 403),
        ("GET /healthz HTTP/1.0", 200),
        ("GET /healthz HTTP/1.1\r\nHost: evil.example", 200),
    ],
)
def test_as_the_server_hands_it_on(system: System, head: str, status: int) -> None:
    """Real requests: what the HTTP server makes of odd ones is judged as it should be."""
    got, body = over_a_socket(system.url, head)
    assert got == status
    assert json.loads(body)
