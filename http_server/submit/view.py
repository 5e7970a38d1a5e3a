"""`POST /<endpoint>`: submit one input, or an array of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from doneyet.settings import Settings
from doneyet.task_types import Registry
from http_server.kept.wishes import WishOf, wishes
from http_server.metrics.request_metrics import ROUTE
from http_server.middleware.client_name import ClientOf
from http_server.routes.add_route import add_route
from http_server.routes.endpoints import ROOT, submit_paths
from http_server.submit.bounded_cache import BoundedCache
from http_server.submit.parse import Body, BodyCache, InputParser, Parsed
from http_server.submit.render import render
from http_server.submit.service import SubmitService
from http_server.wire import prefer
from http_server.wire.asker import AskerOf
from http_server.wire.body_reader import BodyReader
from http_server.wire.error_handlers import ErrorResponses
from http_server.wire.problem import Problem
from http_server.wire.response import PlainResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class SubmitView:
    """The view of one endpoint."""

    def __init__(
        self,
        parser: InputParser | BodyCache,
        service: SubmitService,
        bodies: BodyReader,
        *,
        asker_of: AskerOf,
        wish_of: WishOf,
        max_wait_s: float,
    ) -> None:
        self._parser, self._service, self._wish_of = parser, service, wish_of
        self._bodies, self._asker_of, self._max_wait_s = bodies, asker_of, max_wait_s

    def __call__(self, environ: WSGIEnvironment) -> PlainResponse:
        """The response.

        Raises:
            Problem: the request, or its one input, is not valid.
            TaskManagerError: Redis is away, or no server for doneyet.
        """
        kept = self._wish_of(environ)
        parsed = self._parse(environ)
        wish, control = environ.get("HTTP_PREFER"), environ.get("HTTP_CACHE_CONTROL")
        wait_s = None if wish is None else prefer.wait_s(wish, self._max_wait_s)
        discard = control is not None and prefer.no_cache(control)
        if not parsed.tasks:
            return render(parsed, (), self._service.write, None)
        outcomes, waited = self._service.chain.submit(parsed.tasks, discard=discard, wait_s=wait_s)
        wait_s = wait_s if waited else None
        if kept is None or self._service.keeper is None:
            return render(parsed, outcomes, self._service.write, wait_s)
        self._service.keeper.keep(parsed.tasks, outcomes, kept)
        return render(parsed, outcomes, self._service.write, wait_s, kept.applied_s)

    def _parse(self, environ: WSGIEnvironment) -> Parsed:
        """What is asked for. The body itself is let go of: the request may be held for long."""
        if encoding := environ.get("HTTP_CONTENT_ENCODING"):
            _check_encoding(encoding)
        asker = self._asker_of(environ)
        return self._parser.parse(
            Body(
                environ["PATH_INFO"],
                environ.get("CONTENT_TYPE") or "",
                environ.get("QUERY_STRING") or "",
                self._bodies.read(environ),
                asker,
            )
        )


def add_submit_routes(
    app: Flask,
    registry: Registry,
    service: SubmitService,
    bodies: BodyReader,
    settings: Settings,
    *,
    asker_of: AskerOf,
    client_of: ClientOf,
) -> Mapping[str, SubmitView]:
    """One route per endpoint, also at the root where that is set; returns the views by path.

    The routes are for Flask's part: which methods there are.
    """
    kept: BoundedCache[Body, Parsed] = BoundedCache()
    wish_of = wishes(settings, client_of, can_keep=service.keeper is not None)
    views = {
        path: SubmitView(
            BodyCache(InputParser(types), kept),
            service,
            bodies,
            asker_of=asker_of,
            wish_of=wish_of,
            max_wait_s=settings.max_wait_s,
        )
        for path, types in submit_paths(registry, settings).items()
    }
    for path, view in views.items():
        if path != ROOT:
            add_route(
                app, path, f"submit {path}", lambda view=view: view(request.environ), ["POST"]
            )

    def root() -> Response:
        """A browser is sent to the reference, whatever is served here."""
        if request.method == "POST":
            return views[ROOT](request.environ)
        return PlainResponse(b"", HTTPStatus.TEMPORARY_REDIRECT, "", [("location", "/docs")])

    add_route(app, ROOT, "root", root, ["GET", "POST"] if ROOT in views else ["GET"])
    return views


def with_fast_path(
    app: WSGIApplication, views: Mapping[str, SubmitView], responses: ErrorResponses
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """`app`, but for POST at the paths of `views`, which Flask does not see: these are most of all
    requests, and building a request context takes longer than answering most of them."""

    def fast_path(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        view = views.get(environ["PATH_INFO"])
        if view is None or environ["REQUEST_METHOD"] != "POST":
            return app(environ, start_response)
        environ[ROUTE] = environ["PATH_INFO"]
        try:
            response = view(environ)
        except Exception as error:
            response = responses.response_to(error)
        return response(environ, start_response)

    return fast_path


def _check_encoding(encoding: str) -> None:
    if all(name.strip().lower() in ("identity", "") for name in encoding.split(",")):
        return
    raise Problem(
        415,
        "unsupported-media-type",
        f"a body is read as it is, not with Content-Encoding {encoding[:40]!r}",
        headers=[("accept-encoding", "identity")],
    )
