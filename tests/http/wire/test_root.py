"""What is asked at the root, and tasks by their id at their endpoint."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.app import create_app
from http_server.openapi.document import document
from tests.http.conftest import TASKS
from tests.http.fakes import FakeManager

BERT = "question-answering/bert"
WITH_ROOT = Settings(tasks=TASKS, root_type=BERT)


@pytest.fixture
def with_root(manager: FakeManager, registry: Registry) -> Iterator[FlaskClient]:
    """Asks an application whose root asks the second model of an endpoint."""
    app = create_app(WITH_ROOT, manager, registry)
    yield app.test_client()
    app.extensions["doneyet"].close()


def test_the_root_asks_the_type_of_the_setting(with_root: FlaskClient, registry: Registry) -> None:
    """The same task as at its endpoint; other models of that endpoint are not asked there."""
    asked = {"question": "Who?", "context": "Me."}
    at_root = with_root.post("/", json=asked)
    at_endpoint = with_root.post("/question-answering", json={**asked, "model": "bert"})
    assert at_root.status_code == at_endpoint.status_code == 202
    assert at_root.get_json()["id"] == at_endpoint.get_json()["id"]
    assert at_root.headers["Location"] == f"/tasks/{at_root.get_json()['id']}"
    refused = with_root.post("/", json={**asked, "model": "roberta"})
    assert refused.status_code == 422
    assert "there are: bert" in refused.get_json()["detail"]


def test_the_root_takes_arrays_and_repeats_what_it_knows(with_root: FlaskClient) -> None:
    """As any endpoint does, shortcuts included."""
    first, again = (with_root.post("/", json=[{"question": "Who?"}]) for _ in range(2))
    assert first.status_code == 200
    assert first.get_json() == again.get_json()
    one, same = (with_root.post("/", json={"question": "Who?"}) for _ in range(2))
    assert one.get_json() == same.get_json()


def test_browsers_find_the_reference_at_the_root(
    with_root: FlaskClient, client: FlaskClient
) -> None:
    """Whether something is asked there or not; without the setting nothing is."""
    for each in (with_root, client):
        assert each.get("/").headers["Location"] == "/docs"
    assert client.post("/", json={"question": "Who?"}).status_code == 405
    assert client.options("/").headers["Allow"] == "GET, HEAD, OPTIONS"
    assert with_root.options("/").headers["Allow"] == "GET, HEAD, OPTIONS, POST"


def test_the_reference_tells_of_the_root(registry: Registry) -> None:
    """Its inputs are those of the one type."""
    told = document(registry, WITH_ROOT)["paths"]["/"]["post"]
    schema = told["requestBody"]["content"]["application/json"]["schema"]
    assert schema["anyOf"][0] == {"$ref": f"#/components/schemas/{BERT.replace('/', '.')}.Input"}
    assert "/" not in document(registry, Settings(tasks=TASKS))["paths"]


def test_an_unknown_type_is_refused_at_start(manager: FakeManager, registry: Registry) -> None:
    """One line names the setting and what there is; no server starts."""
    with pytest.raises(SettingError, match=r"DONEYET_ROOT_TYPE: .*'nope'; there are: factoriz"):
        create_app(Settings(tasks=TASKS, root_type="nope"), manager, registry)
    ended = subprocess.run(
        [sys.executable, "-m", "http_server", "--root-type", "nope", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode != 0
    (line,) = ended.stderr.splitlines()
    assert "DONEYET_ROOT_TYPE: there is no task type 'nope'; there are: factorization" in line


def test_a_task_is_told_where_it_was_asked(client: FlaskClient) -> None:
    """As `/tasks/<id>` tells it, for every type of that endpoint; elsewhere it is a 404."""
    for model in ("roberta", "bert"):
        asked = client.post("/question-answering", json={"question": "Who?", "model": model})
        task_id = asked.get_json()["id"]
        here = client.get(f"/question-answering/{task_id}")
        assert here.status_code == 200
        assert here.get_json() == client.get(f"/tasks/{task_id}").get_json()
        assert here.get_json()["type"] == f"question-answering/{model}"
        for path in (f"/upper/{task_id}", "/question-answering/" + "0" * 40, "/upper/nothing"):
            missing = client.get(path)
            assert missing.status_code == 404, path
            assert missing.content_type == "application/problem+json"
        assert client.delete(f"/question-answering/{task_id}").status_code == 405
