"""`deploy/nginx.conf` in a real nginx, before real servers: what clients see through it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from requests.adapters import HTTPAdapter

from doneyet.client import Client
from doneyet.local.system import System
from tests.helpers import wait_until
from tests.http.event_reader import EventReader
from tests.http.servers import serving
from tests.proxy.nginx import NAME, Nginx, nginx_before, program

pytestmark = pytest.mark.proxy

TASKS = "factorization,tests.http.task_types"
FLAGS = ("--root-path", "/ml", "--trusted-proxies", "127.0.0.1", "--hosts", NAME, "--tasks", TASKS)
SETTINGS = {
    "DONEYET_TASKS": TASKS,
    "DONEYET_ROOT_PATH": "/ml",
    "DONEYET_TRUSTED_PROXIES": "127.0.0.1",
    "DONEYET_HOSTS": NAME,
}


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A server, a Redis, and a worker."""
    with System(processes=1, settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def nginx(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """A running nginx before the system's server and one more."""
    assert system.redis is not None
    with (
        serving(*FLAGS, redis_url=system.redis.url) as second,
        nginx_before((system.port, second.port), tmp_path_factory.mktemp("nginx")) as running,
    ):
        yield running


def ask(nginx: Nginx, method: str, path: str, **more: Any) -> requests.Response:
    """What a client gets, whose trust is in the certificate alone."""
    given: dict[str, Any] = {"verify": str(nginx.certificate), "timeout": 30, **more}
    return requests.request(method, urljoin(nginx.url, path), **given)


def test_submit_and_poll(nginx: Nginx) -> None:
    """The first reply says where the task is, under the path; there it is. Then it is done."""
    first = ask(nginx, "POST", "/ml/sleep", json={"seconds": 0.5})
    assert first.status_code == 202
    assert first.headers["Location"] == f"/ml/tasks/{first.json()['id']}"
    assert ask(nginx, "GET", first.headers["Location"]).json()["id"] == first.json()["id"]

    def done() -> bool:
        return bool(ask(nginx, "POST", "/ml/sleep", json={"seconds": 0.5}).json()["done"])

    wait_until(done, description="the task is done")


def test_a_held_request(nginx: Nginx) -> None:
    """It is answered when the task is done."""
    held = ask(nginx, "POST", "/ml/sleep", json={"seconds": 0.4}, headers={"Prefer": "wait=20"})
    assert held.json()["slept"] is True
    assert held.headers["Preference-Applied"] == "wait=20"


def test_the_client(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the path as a part of the address, for arrays too."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(nginx.certificate))
    client = Client(nginx.url)
    assert client.run("factorize", number=408216)["factorization_str"] == "2^3 3^1 73^1 233^1"
    answers = client.map("factorize", [{"number": n} for n in range(2, 300)])
    assert len(list(answers)) == 298


def test_events_come_as_they_happen(nginx: Nginx) -> None:
    """In pieces, not at the end: the first of them long before the last."""
    task_id = ask(nginx, "POST", "/ml/steps", json={"seconds": 3}).json()["id"]
    stream = ask(nginx, "GET", f"/ml/tasks/{task_id}/events", stream=True)
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    events = EventReader(stream.iter_content(None), stream.close)
    answer = events.first("answer")
    events.wait_for_end()
    progress = [each for each in events.events if each.name == "progress"]
    assert len(progress) > 4
    assert answer.at_s - progress[1].at_s > 1
    assert answer.data["steps"] == 10


def test_http_2(nginx: Nginx) -> None:
    """Clients that speak it get it, by the name that the certificate has."""
    address = f"{NAME}:{nginx.https_port}"
    told = subprocess.run(
        [
            *(program("curl", "curl"), "--silent", "--show-error", "--http2", "--noproxy", "*"),
            *("--cacert", str(nginx.certificate), "--resolve", f"{address}:127.0.0.1"),
            *("--json", '{"number": 1001}', "--write-out", "\n%{http_version} %{http_code}"),
            f"https://{address}/ml/factorize",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    body, _, version = told.stdout.rpartition("\n")
    assert version in ("2 202", "2 200")
    assert json.loads(body)["number"] == 1001


def test_plain_http_is_sent_on(nginx: Nginx) -> None:
    """With its method: a POST stays one."""
    url = f"http://127.0.0.1:{nginx.http_port}/ml/factorize?number=7"
    reply = requests.post(url, allow_redirects=False, timeout=10)
    assert reply.status_code == 308
    assert reply.headers["Location"] == f"{nginx.url}/factorize?number=7"


def test_the_reference_is_there(nginx: Nginx) -> None:
    """With its files; the document says under which path to ask."""
    assert ask(nginx, "GET", "/ml").url == f"{nginx.url}/docs"
    for path in ("/ml/docs/docs.js", "/ml/docs/swagger-ui.css", "/ml/load"):
        assert ask(nginx, "GET", path).status_code == 200, path
    assert ask(nginx, "GET", "/ml/openapi.json").json()["servers"][0]["url"] == "/ml"
    assert ask(nginx, "GET", "/load").status_code == 404


def test_a_proxy_that_takes_the_path_off(system: System, tmp_path: Path) -> None:
    """The same server is right behind it, too."""
    taken_off = (
        "location /ml/ {\n        proxy_pass http://doneyet;",
        "location /ml/ {\n        proxy_pass http://doneyet/;",
    )
    with nginx_before((system.port, system.port), tmp_path, taken_off) as nginx:
        reply = ask(nginx, "POST", "/ml/sleep", json={"seconds": 0.45})
        assert reply.headers["Location"] == f"/ml/tasks/{reply.json()['id']}"
        assert ask(nginx, "GET", reply.headers["Location"]).json()["id"] == reply.json()["id"]
        assert ask(nginx, "GET", "/ml/").url == f"{nginx.url}/docs"


def test_a_large_body(nginx: Nginx) -> None:
    """Up to the limit it reaches the server, above it nginx says so as the server would."""
    limit = 8 * 1024 * 1024
    inputs = '[{"number": 6}' + " " * (limit - 15) + "]"
    headers = {"Content-Type": "application/json"}
    assert ask(nginx, "POST", "/ml/factorize", data=inputs, headers=headers).status_code == 200
    refused = ask(nginx, "POST", "/ml/factorize", data=inputs + " ", headers=headers)
    assert refused.status_code == 413
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:doneyet:problem:too-large"
    assert "client_max_body_size" in refused.json()["detail"]


def test_the_name_that_a_client_uses_reaches_the_server(nginx: Nginx) -> None:
    """So that one which is not the server's is refused: a page may have had it lead here."""
    for name, status in ((f"{NAME}:{nginx.https_port}", 200), ("evil.example", 403)):
        reply = ask(nginx, "GET", "/ml/load", headers={"Host": name})
        assert reply.status_code == status, name


def test_inputs_are_not_logged(nginx: Nginx) -> None:
    """A query string may be one."""
    assert ask(nginx, "POST", "/ml/factorize?number=987654321").ok
    wait_until(lambda: '"POST /ml/factorize"' in nginx.log(), description="it is logged")
    assert "987654321" not in nginx.log()


def test_a_server_that_stops(system: System, tmp_path: Path) -> None:
    """Its requests go to the other one, also those that submit; when both are away, it is a 503."""
    assert system.redis is not None
    with (
        serving(*FLAGS, redis_url=system.redis.url) as first,
        serving(*FLAGS, redis_url=system.redis.url) as second,
        nginx_before((first.port, second.port), tmp_path) as nginx,
    ):
        first.stop()
        for number in range(2, 22):
            reply = ask(nginx, "POST", "/ml/factorize", json={"number": number})
            assert reply.status_code in (200, 202), reply.text
        second.stop()
        reply = ask(nginx, "POST", "/ml/factorize", json={"number": 6})
        assert reply.status_code == 503
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.headers["Retry-After"] == "1"
        assert reply.json()["type"] == "urn:doneyet:problem:unavailable"


def test_a_server_that_dies(system: System, tmp_path: Path) -> None:
    """What it held is asked of the other one, though it is a POST: equal inputs are one task."""
    assert system.redis is not None
    with (
        serving(*FLAGS, redis_url=system.redis.url) as first,
        serving(*FLAGS, redis_url=system.redis.url) as second,
        nginx_before((first.port, second.port), tmp_path) as nginx,
        ThreadPoolExecutor(1) as pool,
    ):
        asked = {"json": {"seconds": 1.9}, "headers": {"Prefer": "wait=20"}}
        held = pool.submit(ask, nginx, "POST", "/ml/sleep", **asked)

        def runs() -> bool:
            return bool(requests.get(f"{system.url}/load/sleep", timeout=10).json()["running"])

        wait_until(runs, description="the task runs")
        os.kill(first.child(), signal.SIGKILL)
        first.process.communicate(timeout=15)  # it ends with its process
        assert held.result().json()["slept"] is True
        assert f"127.0.0.1:{first.port}, 127.0.0.1:{second.port}" in nginx.log()


class From(HTTPAdapter):
    """Connections from one of this machine's addresses."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """As requests calls it."""
        super().init_poolmanager(*args, **more, source_address=(self._address, 0))


def test_clients_are_told_apart(system: System, tmp_path: Path) -> None:
    """Who sends too much is refused, by the address that nginx sees; others are not. Nobody gets
    another name by writing one into the header."""
    assert system.redis is not None
    with (
        serving(*FLAGS, "--client-rate", "1", redis_url=system.redis.url) as server,
        nginx_before((server.port, server.port), tmp_path) as nginx,
    ):

        def statuses(address: str, count: int) -> list[int]:
            with requests.Session() as session:
                session.mount("https://", From(address))
                return [
                    session.get(
                        f"{nginx.url}/load",
                        headers={"X-Forwarded-For": f"203.0.113.{n}"},
                        verify=str(nginx.certificate),
                        timeout=10,
                    ).status_code
                    for n in range(count)
                ]

        assert 429 in statuses("127.0.0.2", 15)
        assert statuses("127.0.0.3", 3) == [200] * 3
