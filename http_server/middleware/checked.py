"""What checks refuse is answered by its problem, before every route."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from http_server.wire.problem import Problem
from http_server.wire.response import problem_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def with_checks(
    app: WSGIApplication, checks: Sequence[Callable[[WSGIEnvironment], Problem | None]]
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """`app`, but the first problem that `checks` find with a request, if they do."""

    def checked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for check in checks:
            if problem := check(environ):
                return problem_response(problem)(environ, start_response)
        return app(environ, start_response)

    return checked
