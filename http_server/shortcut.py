"""A poll of what this process knows is answered before Flask: it is most of all requests, and
building a request context takes longer than answering it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from http_server.answer_cache import AnswerCache
from http_server.body import READ_ALREADY
from http_server.plain_response import JSON, STATUS_LINES, pending_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_DIFFERENT = ("HTTP_PREFER", "HTTP_CACHE_CONTROL", "HTTP_CONTENT_ENCODING")
"""Headers that make it another request than a plain poll."""


def with_shortcut(
    app: WSGIApplication, cache: AnswerCache, paths: Iterable[str], most_bytes: int
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """`app`, but asked only where the cache has no answer to the one question."""
    endpoints = frozenset(paths)

    def shortcut(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in endpoints and environ["REQUEST_METHOD"] == "POST":
            answered = _answered(environ, cache, most_bytes)
            if answered is not None:
                status, headers, body = answered
                start_response(STATUS_LINES[status], headers)
                return [body]
        return app(environ, start_response)

    return shortcut


def _answered(
    environ: WSGIEnvironment, cache: AnswerCache, most_bytes: int
) -> tuple[int, list[tuple[str, str]], bytes] | None:
    """Status, headers and body, if they are known."""
    declared = environ.get("CONTENT_LENGTH") or ""
    if not declared.isdigit() or int(declared) > most_bytes:
        return None
    raw = environ["wsgi.input"].read(int(declared))
    if len(raw) == int(declared):
        environ[READ_ALREADY] = raw
    if any(header in environ for header in _DIFFERENT):
        return None
    content_type, query = environ.get("CONTENT_TYPE") or "", environ.get("QUERY_STRING") or ""
    questions = cache.remembered((environ["PATH_INFO"], content_type, query, raw))
    if not isinstance(questions, tuple):
        return None
    found = cache.whole(questions[0], time.monotonic())
    if found is None:
        return None
    answer, load = found
    body = answer.with_load(load)
    headers = [
        ("cache-control", "no-store"),
        ("content-type", JSON),
        ("content-length", str(len(body))),
    ]
    if answer.done:
        return 200, headers, body
    return 202, headers + pending_headers(questions[0].task.id), body
