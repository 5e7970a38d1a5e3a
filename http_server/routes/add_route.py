"""Routes whose OPTIONS answer is as plain as everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from flask import Flask, Response, request

from http_server.metrics.request_metrics import ROUTE
from http_server.wire.response import PlainResponse


def add_route(
    app: Flask, path: str, name: str, view: Callable[..., Response], methods: Sequence[str]
) -> None:
    """Adds `view`; HEAD comes with GET, and OPTIONS is answered 204 with `Allow`."""
    allowed = sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])})
    allow = ("allow", ", ".join(allowed))
    label = path.replace("<path:", "<")

    @wraps(view, assigned=())
    def with_options(**arguments: Any) -> Response:
        request.environ[ROUTE] = label
        if request.method == "OPTIONS":
            return PlainResponse(b"", 204, "", [allow])
        return view(**arguments)

    app.add_url_rule(path, name, with_options, methods=allowed, provide_automatic_options=False)
