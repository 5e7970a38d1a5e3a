"""`/openapi.json` and the page that shows it, `/docs`: Swagger UI, served without the internet."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from flask import Flask, Response, send_from_directory

from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.openapi.document import document
from http_server.routes.add_route import add_route
from http_server.wire.response import JSON, PROTECTED, PlainResponse

# No frames: in another site's, a visitor could be led to press "Execute" without seeing it.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE_HEADERS = [("content-security-policy", _POLICY), ("x-frame-options", "DENY")]
_KEPT_S = 3600
"""How long a browser may show the viewer's files without asking whether they changed."""

_OURS = str(files("http_server") / "static")
_VIEWER = str(files("flask_swagger_ui") / "dist")


def add_docs_routes(app: Flask, registry: Registry, settings: Settings) -> None:
    """The document, its page, and the files of the page."""
    description = json.dumps(document(registry, settings), indent=1).encode()
    page = Path(_OURS, "docs.html").read_bytes()

    def openapi() -> Response:
        return PlainResponse(description, 200, JSON)

    def docs() -> Response:
        return PlainResponse(page, 200, "text/html; charset=utf-8", _PAGE_HEADERS)

    add_route(app, "/openapi.json", "openapi", openapi, ["GET"])
    add_route(app, "/docs", "docs", docs, ["GET"])
    for folder, name in (
        (_OURS, "docs.css"),
        (_OURS, "docs.js"),
        (_VIEWER, "swagger-ui.css"),
        (_VIEWER, "swagger-ui-bundle.js"),
    ):
        add_route(app, f"/docs/{name}", name, _file(folder, name), ["GET"])


def _file(folder: str, name: str) -> Callable[[], Response]:
    def view() -> Response:
        response = send_from_directory(folder, name, max_age=_KEPT_S)
        response.headers.extend([*PROTECTED, *_PAGE_HEADERS])
        return response

    return view
