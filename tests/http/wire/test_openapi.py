"""The OpenAPI document and its page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.openapi.document import document
from tests.http.conftest import SETTINGS

STATIC = Path(__file__).parents[3] / "http_server" / "static"


def test_it_is_openapi(registry: Registry) -> None:
    """The document is valid OpenAPI 3.1, in the synchronous queue mode too."""
    for settings in (SETTINGS, Settings(queue_mode="synchronous")):
        OpenAPIV31SpecValidator(document(registry, settings)).validate()


def test_every_route_is_described(app: Flask) -> None:
    """Nothing can be asked that the document doesn't tell, but the document and its page."""
    described = app.test_client().get("/openapi.json").get_json()["paths"]
    routes = {
        re.sub(r"<(?:path:name)>", "{type}", re.sub(r"<task_id>", "{task_id}", rule.rule))
        for rule in app.url_map.iter_rules()
    }
    pages = ("/docs", "/dashboard")
    own = {"/", "/openapi.json"} | {path for path in routes if path.startswith(pages)}
    assert routes - own == set(described)
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<path:name>", "{type}").replace("<task_id>", "{task_id}")
        if path not in own:
            told = {method.upper() for method in described[path] if method != "parameters"}
            assert told == set(rule.methods or ()) - {"OPTIONS", "HEAD"}


def test_examples_work(app: Flask) -> None:
    """Every example in the document is answered."""
    client = app.test_client()
    for path, item in client.get("/openapi.json").get_json()["paths"].items():
        for example in examples(item):
            response = client.post(path, json=example)
            assert response.status_code in (200, 202), response.text


def test_fields_say_what_they_are(client: FlaskClient) -> None:
    """Descriptions, limits and nullable outputs come from the task type."""
    schemas = client.get("/openapi.json").get_json()["components"]["schemas"]
    asked = schemas["factorization.Input"]
    assert asked["required"] == ["number"]
    assert asked["additionalProperties"] is False
    assert "whole number" in asked["properties"]["number"]["description"]
    told = schemas["factorization.Answer"]["properties"]
    assert told["factorization_str"]["anyOf"][-1] == {"type": "null"}
    assert {"number", "done", "load", "id", "status"} <= told.keys()
    bert = schemas["question-answering.bert.Input"]
    assert bert["properties"]["model"]["enum"] == ["bert"]
    assert "context" not in schemas["question-answering.bert.Answer"]["properties"]


def test_the_page_needs_no_internet(client: FlaskClient) -> None:
    """All that it loads comes from this server, under names that a path prefix leaves right."""
    page = client.get("/docs")
    assert page.content_type.startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    links = [link for link in re.findall(r'(?:src|href)="([^"]+)"', page.text) if ":" not in link]
    assert len(links) >= 5
    for link in links:
        assert not link.startswith("/"), f"{link} would lose a prefix"
        with client.get("/" + link) as response:
            assert response.status_code == 200, link
    for file in filter(Path.is_file, STATIC.rglob("*")):
        assert "://" not in file.read_text(), file


def test_files_of_the_page_are_kept(client: FlaskClient) -> None:
    """A browser that has them asks only whether they changed."""
    path = "/docs/swagger-ui-bundle.js"
    with client.get(path) as first:
        assert first.content_type.startswith("text/javascript")
        assert "max-age=3600" in first.headers["Cache-Control"]
    with client.get(path, headers={"If-None-Match": first.headers["ETag"]}) as again:
        assert (again.status_code, again.data) == (304, b"")


def test_tuples_have_items(registry: Registry) -> None:
    """For tools that do not know `prefixItems`."""
    answer = document(registry, SETTINGS)["components"]["schemas"]["factorization.Answer"]
    pairs = answer["properties"]["factorization"]["anyOf"][0]
    assert pairs["items"]["prefixItems"] == [{"type": "integer"}, {"type": "integer"}]
    assert pairs["items"]["items"] == {"type": "integer"}


def examples(item: dict[str, Any]) -> list[Any]:
    """The examples of a path's JSON body."""
    body = item.get("post", {}).get("requestBody", {}).get("content", {})
    return [
        example["value"]
        for example in body.get("application/json", {}).get("examples", {}).values()
    ]
