"""Every error as a problem object: ours, Flask's, and those that nobody expected."""

from __future__ import annotations

import logging

from flask import Flask, Response, current_app
from werkzeug.exceptions import HTTPException, InternalServerError

from http_server.outage import Outage
from http_server.plain_response import problem_response
from http_server.problem import Problem, overloaded, unavailable
from task_manager.errors import (
    MisconfiguredError,
    OverloadedError,
    UnavailableError,
    UnsupportedServerError,
)

log = logging.getLogger(__name__)

_KINDS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}


def add_error_handlers(app: Flask) -> None:
    """One handler per family of errors."""
    app.register_error_handler(Problem, problem_response)
    app.register_error_handler(UnavailableError, _unavailable)
    app.register_error_handler(MisconfiguredError, _misconfigured)
    app.register_error_handler(UnsupportedServerError, _unsupported_server)
    app.register_error_handler(OverloadedError, _overloaded)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, _unexpected)


def _unavailable(error: UnavailableError) -> Response:
    _outage().failed(Outage.ASKING, error)
    return problem_response(unavailable("the store of tasks is away, or refuses; ask again"))


def _misconfigured(error: MisconfiguredError) -> Response:
    _outage().failed(Outage.ASKING, error)
    detail = "the store of tasks refuses this server, whose log says why; ask again later"
    return problem_response(unavailable(detail, retry_after_s=5))


def _unsupported_server(error: UnsupportedServerError) -> Response:
    _outage().failed(Outage.ASKING, error)
    return problem_response(unavailable(str(error), retry_after_s=30))


def _outage() -> Outage:
    outage: Outage = current_app.extensions["doneyet"].outage
    return outage


def _overloaded(error: OverloadedError) -> Response:
    return problem_response(overloaded(str(error)))


def _http_exception(error: HTTPException) -> Response:
    status = error.code or InternalServerError.code
    headers = [(name, value) for name, value in error.get_headers() if name.lower() == "allow"]
    detail = {
        404: "there is nothing at this path; /openapi.json lists what there is",
        405: "this path does not take this method; Allow lists those that it takes",
    }.get(status, error.description or error.name)
    return problem_response(Problem(status, _KINDS.get(status, ""), detail, headers=headers))


def _unexpected(error: Exception) -> Response:
    log.error("a request failed unexpectedly", exc_info=error)
    return problem_response(Problem(500, "internal-error", "this is a bug; the log has more"))
