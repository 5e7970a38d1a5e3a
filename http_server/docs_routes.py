"""`/openapi.json` and the page that shows it, `/docs`, served without the internet."""

from __future__ import annotations

import json
from importlib.resources import files

from flask import Flask, Response

from http_server.methods import add_route
from http_server.openapi import document
from http_server.plain_response import JSON, PlainResponse
from settings import Settings
from tasks import Registry

# No frames: in another site's, a visitor could be led to press "Send" without seeing it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
)
_PAGE_HEADERS = [("content-security-policy", _POLICY), ("x-frame-options", "DENY")]


def add_docs_routes(app: Flask, registry: Registry, settings: Settings) -> None:
    """The document, and the three files of its page."""
    description = json.dumps(document(registry, settings), indent=1).encode()

    def openapi() -> Response:
        return PlainResponse(description, 200, JSON)

    add_route(app, "/openapi.json", "openapi", openapi, ["GET"])
    _add_file(app, "/docs", "docs.html", "text/html; charset=utf-8")
    _add_file(app, "/docs/docs.css", "docs.css", "text/css; charset=utf-8")
    _add_file(app, "/docs/docs.js", "docs.js", "text/javascript; charset=utf-8")


def _add_file(app: Flask, path: str, name: str, media_type: str) -> None:
    content = (files("http_server") / "static" / name).read_bytes()

    def view() -> Response:
        return PlainResponse(content, 200, media_type, _PAGE_HEADERS)

    add_route(app, path, name, view, ["GET"])
