"""Every error as a problem object: ours, Flask's, and those that nobody expected."""

from __future__ import annotations

import logging

from flask import Flask
from werkzeug.exceptions import HTTPException, InternalServerError

from http_server.redis_outage import Outage
from http_server.wire.problem import AWAY, Problem, no_status, unavailable
from http_server.wire.response import PlainResponse, problem_response
from task_manager.errors import (
    MisconfiguredError,
    NoStatusError,
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


class ErrorResponses:
    """Tells errors as problems; nothing of an error is kept."""

    def __init__(self, outage: Outage, root_path: str = "") -> None:
        self._outage, self._root_path = outage, root_path

    def response_to(self, error: Exception) -> PlainResponse:
        """The response that says what `error` is."""
        return problem_response(self._problem_of(error))

    def _problem_of(self, error: Exception) -> Problem:
        match error:
            case Problem():
                return error
            case NoStatusError():
                return no_status(error)
            case HTTPException():
                return _http_problem(error, self._root_path)
            case UnsupportedServerError():  # each before what it is a kind of
                problem = unavailable(str(error), retry_after_s=30)
            case MisconfiguredError():
                detail = "Redis refuses this server, whose log says why; try again later"
                problem = unavailable(detail, retry_after_s=3)
            case UnavailableError():
                problem = unavailable(AWAY)
            case _:
                log.error("a request failed unexpectedly", exc_info=error)
                detail = "this is a bug of doneyet; the server's log has details"
                return Problem(500, "internal-error", detail)
        self._outage.failed(Outage.SUBMITS, error)
        return problem


def add_error_handlers(app: Flask, responses: ErrorResponses) -> None:
    """Flask asks `responses` about every error."""
    app.register_error_handler(Exception, responses.response_to)


def _http_problem(error: HTTPException, root_path: str) -> Problem:
    status = error.code or InternalServerError.code
    headers = [(name, value) for name, value in error.get_headers() if name.lower() == "allow"]
    detail = {
        400: "this is not a request that is served here; neither are WebSockets",
        404: f"no such path; {root_path}/openapi.json lists all paths",
        405: "method not allowed here; the header Allow lists those that are",
    }.get(status, error.description or error.name)
    return Problem(status, _KINDS.get(status, ""), detail, headers=headers)
