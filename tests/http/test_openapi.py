"""The OpenAPI document and its page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from http_server.openapi import document
from settings import Settings
from tasks import Registry
from tests.http.conftest import SETTINGS

STATIC = Path(__file__).parents[2] / "http_server" / "static"


def test_it_is_openapi(registry: Registry) -> None:
    """The document is valid OpenAPI 3.1, in the synchronous discipline too."""
    for settings in (SETTINGS, Settings(discipline="synchronous")):
        OpenAPIV31SpecValidator(document(registry, settings)).validate()


def test_every_route_is_described(app: Flask) -> None:
    """Nothing can be asked that the document doesn't tell, but the document and its page."""
    described = app.test_client().get("/openapi.json").get_json()["paths"]
    routes = {
        re.sub(r"<(?:path:name)>", "{type}", re.sub(r"<task_id>", "{task_id}", rule.rule))
        for rule in app.url_map.iter_rules()
    }
    own = {"/", "/openapi.json", "/docs", "/docs/docs.css", "/docs/docs.js"}
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
    """All that the page loads comes from this server."""
    page = client.get("/docs")
    assert page.content_type.startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for link in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        if not link.startswith("data:"):
            assert client.get(link).status_code == 200, link
    for file in STATIC.iterdir():
        assert "//" not in re.sub(r"^\s*//.*$", "", file.read_text(), flags=re.MULTILINE), file


def examples(item: dict[str, Any]) -> list[Any]:
    """The examples of a path's JSON body."""
    body = item.get("post", {}).get("requestBody", {}).get("content", {})
    return [
        example["value"]
        for example in body.get("application/json", {}).get("examples", {}).values()
    ]
