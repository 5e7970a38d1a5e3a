"""`POST /<endpoint>`: ask, one input or an array of them."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from flask import Flask, Response, request

from http_server import body, prefer
from http_server.answer_cache import BodyKey, Question
from http_server.asking import Asker, Reply
from http_server.methods import add_route
from http_server.paths import ROOT, asking_paths
from http_server.plain_response import JSON, RETRY_AFTER, PlainResponse, pending_headers
from http_server.problem import Problem
from http_server.question import prepare
from settings import Settings
from tasks import Registry, TaskType

MOST_ITEMS = 10_000
"""Inputs in one array: some hundred milliseconds of this process' time."""


def add_ask_routes(app: Flask, registry: Registry, asker: Asker, settings: Settings) -> None:
    """One route per endpoint; at the root a browser is sent to the reference as ever."""
    for path, types in asking_paths(registry, settings).items():
        if path != ROOT:
            add_route(app, path, f"ask {path}", _AskView(types, asker, settings), ["POST"])
    types = asking_paths(registry, settings).get(ROOT, [])
    ask_root = _AskView(types, asker, settings) if types else None

    def root() -> Response:
        if ask_root is not None and request.method == "POST":
            return ask_root()
        return PlainResponse(b"", HTTPStatus.TEMPORARY_REDIRECT, "", [("location", "/docs")])

    add_route(app, ROOT, "root", root, ["GET", "POST"] if ask_root else ["GET"])


class _AskView:
    """The view of one endpoint."""

    def __init__(self, types: Sequence[TaskType], asker: Asker, settings: Settings) -> None:
        self._types, self._asker = types, asker
        self._most_bytes, self._max_wait_s = settings.max_body_bytes, settings.max_wait_s

    def __call__(self) -> Response:
        environ = request.environ
        if encoding := environ.get("HTTP_CONTENT_ENCODING"):
            raise _encoded(encoding)
        raw = body.read(environ, self._most_bytes)
        items = self._questions(
            (
                environ["PATH_INFO"],
                environ.get("CONTENT_TYPE") or "",
                environ.get("QUERY_STRING") or "",
                raw,
            )
        )
        questions = [item for item in items if isinstance(item, Question)]
        headers: list[tuple[str, str]] = []
        replies = self._ask(questions, headers) if questions else []
        if isinstance(items, tuple):
            return _one(replies[0], headers)
        return _array(items, replies, headers)

    def _questions(self, key: BodyKey) -> Sequence[Question | Problem]:
        """What the body asks: a tuple of one question, or a list where it is an array."""
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
                f"an array may have at most {MOST_ITEMS} inputs, not {len(value)}; ask in parts",
            )
        several: list[Question | Problem] = []
        for item in value:
            try:
                several.append(self._asker.cache.question(*prepare(self._types, item)))
            except Problem as problem:
                several.append(problem)
        good = [item for item in several if isinstance(item, Question)]
        if len(good) == len(several):
            self._asker.cache.remember(key, good)
        return several

    def _ask(
        self, questions: Sequence[Question], headers: list[tuple[str, str]]
    ) -> list[Reply | Problem]:
        discard = prefer.no_cache(request.environ.get("HTTP_CACHE_CONTROL"))
        wait_s = prefer.wait_s(request.environ.get("HTTP_PREFER"), self._max_wait_s)
        if wait_s is None:
            return self._asker.ask(questions, discard=discard)
        replies, waited = self._asker.ask_and_wait(questions, wait_s, discard=discard)
        if waited:
            headers.append(("preference-applied", f"wait={wait_s:g}"))
        return replies


def _one(reply: Reply | Problem, headers: list[tuple[str, str]]) -> PlainResponse:
    if isinstance(reply, Problem):
        raise reply
    if reply.done:
        return PlainResponse(reply.body, HTTPStatus.OK, JSON, headers)
    headers += pending_headers(reply.task_id)
    return PlainResponse(reply.body, HTTPStatus.ACCEPTED, JSON, headers)


def _array(
    items: Sequence[Question | Problem],
    replies: Sequence[Reply | Problem],
    headers: list[tuple[str, str]],
) -> PlainResponse:
    """The array of what each item alone would have been answered."""
    answered = iter(replies)
    shown = [item if isinstance(item, Problem) else next(answered) for item in items]
    if any(isinstance(one, Reply) and not one.done for one in shown):
        headers.append(RETRY_AFTER)
    parts = [one.as_json() if isinstance(one, Problem) else one.body for one in shown]
    return PlainResponse(b"[" + b",".join(parts) + b"]", HTTPStatus.OK, JSON, headers)


def _encoded(encoding: str) -> Problem:
    return Problem(
        415,
        "unsupported-media-type",
        f"a body is read as it is, not with Content-Encoding {encoding[:40]!r}",
        headers=[("accept-encoding", "identity")],
    )
