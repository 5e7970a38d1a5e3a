"""Submits are answered before Flask: it is most of all requests, and building a request context
takes longer than answering most of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from http_server.ask.route import AskView
from http_server.wire.error_handlers import ErrorResponses

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def with_shortcut(
    app: WSGIApplication, views: Mapping[str, AskView], responses: ErrorResponses
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """`app`, but for POST at the paths of `views`."""

    def shortcut(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        view = views.get(environ["PATH_INFO"])
        if view is None or environ["REQUEST_METHOD"] != "POST":
            return app(environ, start_response)
        try:
            response = view(environ)
        except Exception as error:
            response = responses.response_to(error)
        return response(environ, start_response)

    return shortcut
