"""A server that a proxy shows at a path, such as /ml, whether or not the proxy takes that off."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from flask.testing import FlaskClient

from doneyet.client import Client
from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.keys.roles import PUBLIC
from http_server.middleware.root_path import check_root_path
from tests.http.conftest import SETTINGS, TASKS
from tests.http.fakes import FakeManager
from tests.http.keys.conftest import line
from tests.http.servers import serving

AT_ML = dataclasses.replace(SETTINGS, root_path="/ml")
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

ways = pytest.mark.parametrize("before", ["/ml", ""], ids=["passed on", "taken off"])
"""What a proxy leaves before the path of a request for `/ml/...`."""


@pytest.fixture
def at_ml(manager: FakeManager, registry: Registry) -> Iterator[FlaskClient]:
    """Asks an application that is shown at /ml."""
    app = create_app(AT_ML, manager, registry)
    yield app.test_client()
    app.extensions["doneyet"].close()


@ways
def test_a_pending_answer_says_where_its_task_is(at_ml: FlaskClient, before: str) -> None:
    """`Location` is what the client asks for, so it begins with the path that the proxy has."""
    reply = at_ml.post(f"{before}/factorize", json={"number": 6})
    assert reply.status_code == 202
    assert reply.headers["Location"] == f"/ml/tasks/{reply.get_json()['id']}"
    task = at_ml.get(f"{before}/tasks/{reply.get_json()['id']}")
    assert task.get_json()["id"] == reply.get_json()["id"]


@ways
def test_the_root_leads_to_the_reference(at_ml: FlaskClient, before: str) -> None:
    """Also without the slash after the path."""
    for path in {f"{before}/", before} - {""}:
        reply = at_ml.get(path)
        assert (reply.status_code, reply.headers["Location"]) == (307, "/ml/docs"), path


@ways
def test_all_that_the_reference_loads_is_there(at_ml: FlaskClient, before: str) -> None:
    """Links of the page, as the browser completes them, lead below the path."""
    page = at_ml.get(f"{before}/docs").text
    links = [link for link in re.findall(r'(?:src|href)="([^"]+)"', page) if ":" not in link]
    for link in [*links, "openapi.json", "load"]:
        path = urljoin("/ml/docs", link)
        assert path.startswith("/ml/")
        with at_ml.get(before + path.removeprefix("/ml")) as response:
            assert response.status_code == 200, path
    servers = at_ml.get(f"{before}/openapi.json").get_json()["servers"]
    assert [server["url"] for server in servers] == ["/ml"]


@ways
def test_what_may_be_asked_is_the_same(at_ml: FlaskClient, before: str) -> None:
    """Pages of other sites are refused, but may link to the reference; health is for everybody."""
    for path in PUBLIC:
        assert at_ml.get(before + path, headers={"Host": "evil.example"}).status_code == 200, path
    assert at_ml.get(f"{before}/docs", headers=LINK).status_code == 200
    assert at_ml.get(f"{before}/load", headers=LINK).status_code == 403


@ways
def test_a_missing_path_is_told_where_to_look(at_ml: FlaskClient, before: str) -> None:
    """A path that is only alike is no part of the server; the problem names the document's path."""
    for path in ("/nothing", "/factorize/x/y"):
        reply = at_ml.get(before + path)
        assert reply.status_code == 404
        assert "/ml/openapi.json lists all paths" in reply.get_json()["detail"]
    for path in ("/mlx/load", "/mlload"):
        assert at_ml.get(path).status_code == 404
    assert at_ml.get("/ml/ml/load").status_code == 404


@ways
def test_a_login_is_for_the_path_alone(
    manager: FakeManager, registry: Registry, tmp_path: Path, before: str
) -> None:
    """What else there is on the same host does not get its cookie."""
    keys = tmp_path / "keys.txt"
    keys.write_text(line("boss", "operate", "dyk_secret"))
    app = create_app(dataclasses.replace(AT_ML, keys=str(keys)), manager, registry)
    headers = {"X-API-Key": "dyk_secret", "Origin": "http://localhost"}
    reply = app.test_client().post(f"{before}/dashboard/login", headers=headers)
    app.extensions["doneyet"].close()
    assert reply.status_code == 200
    assert "Path=/ml" in reply.headers["Set-Cookie"].split("; ")


def test_elsewhere_nothing_has_changed(client: FlaskClient) -> None:
    """Without the setting there is no such path."""
    assert client.get("/ml/load").status_code == 404
    assert "; /openapi.json lists" in client.get("/nothing").get_json()["detail"]
    assert client.get("/openapi.json").get_json()["servers"][0]["url"] == "/"


@pytest.mark.parametrize(
    "path", ["ml", "/", "/ml/", "//ml", "/ml//x", "/a b", "/ml?x", "/..", "/a/./b", "https://x/ml"]
)
def test_what_is_no_path_is_refused_at_start(path: str, registry: Registry) -> None:
    """With the setting's name and the value."""
    settings = Settings(tasks=TASKS, root_path=path)
    with pytest.raises(SettingError, match=r"^DONEYET_ROOT_PATH must be a path such as") as caught:
        check_root_path(settings, registry.endpoints)
    assert repr(path) in str(caught.value)


@pytest.mark.parametrize(
    "path", ["/factorize", "/factorize/v1", "/tasks", "/docs", "/healthz", "/dashboard"]
)
def test_a_path_of_the_servers_own_is_refused(path: str, registry: Registry) -> None:
    """Nobody could tell whether a proxy has taken it off."""
    settings = Settings(tasks=TASKS, root_path=path)
    with pytest.raises(SettingError, match=rf"^DONEYET_ROOT_PATH {path}: .* /{path.split('/')[1]}"):
        check_root_path(settings, registry.endpoints)


@pytest.mark.parametrize("path", ["", "/ml", "/ml/v1", "/team-1/doneyet_2.0~x", "/tasksx"])
def test_paths_that_can_be_served(path: str, registry: Registry) -> None:
    """One segment or several."""
    check_root_path(Settings(tasks=TASKS, root_path=path), registry.endpoints)


def test_a_wrong_path_ends_the_start() -> None:
    """One line names the setting; no server starts."""
    ended = subprocess.run(
        [sys.executable, "-m", "http_server", "--root-path", "ml/", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "DONEYET_ROOT_PATH must be a path such as /ml" in line


def test_a_real_server_at_a_path(redis_server: EmbeddedRedis, redis_url: str) -> None:
    """The client takes the path as a part of the address; `Location` leads to the task."""
    with serving("--root-path", "/ml", redis_url=redis_url) as server:
        client = Client(f"{server.url}/ml")
        assert client.load("factorization")["load"] == 0
        reply = requests.post(f"{server.url}/ml/factorize", json={"number": 77}, timeout=10)
        task = requests.get(urljoin(reply.url, reply.headers["Location"]), timeout=10)
        assert task.json()["id"] == reply.json()["id"]
        assert requests.get(f"{server.url}/ml", timeout=10).url == f"{server.url}/ml/docs"
