"""Responses whose bytes and headers are known at once, sent without werkzeug's work on each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Response
from werkzeug.datastructures import Headers

from http_server.wire.problem import MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

JSON = "application/json"
RETRY_AFTER = ("retry-after", "1")
NOT_KEPT = ("cache-control", "no-store")
PROTECTED = (
    # A page of another site can neither load a reply as if it were an image or a script of its own,
    # nor have the browser guess that it is one.
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
)
STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class PlainResponse(Response):
    """One bytes object as body. A list as the WSGI result lets granian send it in one piece."""

    def __init__(
        self,
        body: bytes,
        status: int = 200,
        media_type: str = JSON,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        # Deliberately not super().__init__: its parsing is half of a constant route's time.
        self.response = [body]
        self._status_code = status
        self._status = STATUS_LINES[status]
        self._own = [NOT_KEPT, *PROTECTED, *headers]
        if status != HTTPStatus.NO_CONTENT:
            self._own.append(("content-length", str(len(body))))
        if body:
            self._own.append(("content-type", media_type))

    @cached_property
    def headers(self) -> Headers:  # type: ignore[override]
        """Made when somebody asks for them; most responses are sent without."""
        return Headers(self._own)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        changed = self.__dict__.get("headers")
        start_response(self._status, self._own if changed is None else changed.to_wsgi_list())
        return [] if environ["REQUEST_METHOD"] == "HEAD" else list(self.response)  # type: ignore[arg-type]


class StreamResponse(PlainResponse):
    """A body that comes piece by piece; whoever sends it closes it at its end."""

    def __init__(
        self, body: Iterator[bytes], media_type: str, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(b"")
        self._body = body
        self._own = [NOT_KEPT, *PROTECTED, ("content-type", media_type), *headers]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        nothing = super().__call__(environ, start_response)
        return nothing if environ["REQUEST_METHOD"] == "HEAD" else self._body


def json_response(value: Any) -> PlainResponse:
    """`value` as JSON, where all is well."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return PlainResponse(body, HTTPStatus.OK, JSON)


def problem_response(problem: Problem) -> PlainResponse:
    """`problem` as its own response."""
    return PlainResponse(problem.as_json(), problem.status, MEDIA_TYPE, problem.headers)
