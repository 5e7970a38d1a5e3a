"""`POST /<endpoint>`: ask, one input or an array of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from doneyet.settings import Settings
from doneyet.task_types import Registry, TaskType
from http_server.ask.answer_cache import BodyKey, Question
from http_server.ask.parse import prepare
from http_server.ask.service import Asker, Reply
from http_server.routes.add_route import add_route
from http_server.routes.endpoints import ROOT, asking_paths
from http_server.wire import body, prefer
from http_server.wire.body_reader import BodyReader
from http_server.wire.problem import Problem
from http_server.wire.response import JSON, RETRY_AFTER, PlainResponse, pending_headers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MOST_ITEMS = 10_000
"""Inputs in one array: some hundred milliseconds of this process' time."""

MOST_ERRORS_OF_ARRAY = 1000
"""Wrong fields named in the answer to one array; further items say what is wrong first."""


def add_ask_routes(
    app: Flask, registry: Registry, asker: Asker, bodies: BodyReader, settings: Settings
) -> Mapping[str, AskView]:
    """One route per endpoint, also at the root where that is asked; returns the views by path.

    The routes are for Flask's part: which methods there are.
    """
    views = {
        path: AskView(types, asker, bodies, settings.max_wait_s)
        for path, types in asking_paths(registry, settings).items()
    }
    for path, view in views.items():
        if path != ROOT:
            add_route(app, path, f"ask {path}", partial(_ask, view), ["POST"])

    def root() -> Response:
        """A browser is sent to the reference, whatever is asked here."""
        if request.method == "POST":
            return _ask(views[ROOT])
        return PlainResponse(b"", HTTPStatus.TEMPORARY_REDIRECT, "", [("location", "/docs")])

    add_route(app, ROOT, "root", root, ["GET", "POST"] if ROOT in views else ["GET"])
    return views


def _ask(view: AskView) -> Response:
    return view(request.environ)


class AskView:
    """The view of one endpoint."""

    def __init__(
        self, types: Sequence[TaskType], asker: Asker, bodies: BodyReader, max_wait_s: float
    ) -> None:
        self._types, self._asker = types, asker
        self._bodies, self._max_wait_s = bodies, max_wait_s

    def __call__(self, environ: WSGIEnvironment) -> PlainResponse:
        """The response.

        Raises:
            Problem: the request, or its one input, is not valid.
            TaskManagerError: Redis is away, or no server for doneyet.
        """
        if encoding := environ.get("HTTP_CONTENT_ENCODING"):
            _check_encoding(encoding)
        items = self._questions(environ)
        wish = environ.get("HTTP_PREFER"), environ.get("HTTP_CACHE_CONTROL")
        if isinstance(items, tuple) and wish == (None, None):
            whole = self._asker.cache.whole(items[0], time.monotonic())
            if whole is not None:
                answer, load = whole
                return _response(items[0].task.id, answer.with_load(load), answer.done, [])
        questions = [item for item in items if isinstance(item, Question)]
        headers: list[tuple[str, str]] = []
        replies = self._ask(questions, *wish, headers) if questions else []
        if isinstance(items, tuple):
            return _one(replies[0], headers)
        return _array(items, replies, headers)

    def _questions(self, environ: WSGIEnvironment) -> Sequence[Question | bytes]:
        """What the body asks: a tuple of one question, or a list where it is an array, which has
        the problem object of each item that is no question. The body itself is let go of: who asks
        may be held for long.
        """
        key: BodyKey = (
            environ["PATH_INFO"],
            environ.get("CONTENT_TYPE") or "",
            environ.get("QUERY_STRING") or "",
            self._bodies.read(environ),
        )
        remembered = self._asker.cache.remembered(key)
        if remembered is not None:
            return remembered
        value = body.meaning(key[3], key[1], key[2], self._types)
        if not isinstance(value, list):
            one = (self._asker.cache.question(*prepare(self._types, value)),)
            self._asker.cache.remember(key, one)
            return one
        if len(value) > MOST_ITEMS:
            raise Problem(
                413,
                "too-large",
                f"an array may have at most {MOST_ITEMS} inputs, not {len(value)}; "
                "send several arrays",
            )
        several: list[Question | bytes] = []
        errors = 0
        for item in value:
            try:
                several.append(self._asker.cache.question(*prepare(self._types, item)))
            except Problem as problem:
                errors += len(problem.errors)
                several.append(problem.as_json(brief=errors > MOST_ERRORS_OF_ARRAY))
        good = [item for item in several if isinstance(item, Question)]
        if len(good) == len(several):
            self._asker.cache.remember(key, good)
        return several

    def _ask(
        self,
        questions: Sequence[Question],
        preference: str | None,
        cache_control: str | None,
        headers: list[tuple[str, str]],
    ) -> list[Reply | Problem]:
        discard = prefer.no_cache(cache_control)
        wait_s = prefer.wait_s(preference, self._max_wait_s)
        if wait_s is None:
            return self._asker.ask(questions, discard=discard)
        replies, waited = self._asker.ask_and_wait(questions, wait_s, discard=discard)
        if waited:
            headers.append(("preference-applied", f"wait={wait_s:g}"))
        return replies


def _one(reply: Reply | Problem, headers: list[tuple[str, str]]) -> PlainResponse:
    if isinstance(reply, Problem):
        raise reply
    return _response(reply.task_id, reply.body, reply.done, headers)


def _response(
    task_id: str, answer: bytes, done: bool, headers: list[tuple[str, str]]
) -> PlainResponse:
    if done:
        return PlainResponse(answer, HTTPStatus.OK, JSON, headers)
    return PlainResponse(answer, HTTPStatus.ACCEPTED, JSON, headers + pending_headers(task_id))


def _array(
    items: Sequence[Question | bytes],
    replies: Sequence[Reply | Problem],
    headers: list[tuple[str, str]],
) -> PlainResponse:
    """The array of what each item alone would have been answered."""
    answered = iter(replies)
    if any(isinstance(one, Reply) and not one.done for one in replies):
        headers.append(RETRY_AFTER)
    parts = [item if isinstance(item, bytes) else _part(next(answered)) for item in items]
    return PlainResponse(b"[" + b",".join(parts) + b"]", HTTPStatus.OK, JSON, headers)


def _part(reply: Reply | Problem) -> bytes:
    return reply.as_json() if isinstance(reply, Problem) else reply.body


def _check_encoding(encoding: str) -> None:
    if all(name.strip().lower() in ("identity", "") for name in encoding.split(",")):
        return
    raise Problem(
        415,
        "unsupported-media-type",
        f"a body is read as it is, not with Content-Encoding {encoding[:40]!r}",
        headers=[("accept-encoding", "identity")],
    )
