"""Every error as a problem object: ours, Flask's, and those that nobody expected."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException, InternalServerError

from http_server.redis_outage import Outage
from http_server.wire.problem import Problem, overloaded, unavailable
from http_server.wire.response import PlainResponse, problem_response
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


class ErrorResponses:
    """Tells errors as problems; nothing of an error is kept."""

    def __init__(self, outage: Outage) -> None:
        self._outage = outage
        self._families: Mapping[type[Exception], Callable[[Any], PlainResponse]] = {
            Problem: problem_response,
            UnsupportedServerError: self._unsupported_server,  # each before what it is a kind of
            MisconfiguredError: self._misconfigured,
            UnavailableError: self._unavailable,
            OverloadedError: _overloaded,
            HTTPException: _http_exception,
        }

    def response_to(self, error: Exception) -> PlainResponse:
        """The problem that `error` is, by the first family that fits."""
        for family, respond in self._families.items():
            if isinstance(error, family):
                return respond(error)
        log.error("a request failed unexpectedly", exc_info=error)
        return problem_response(
            Problem(500, "internal-error", "this is a bug of doneyet; the server's log has details")
        )

    def _unavailable(self, error: UnavailableError) -> PlainResponse:
        self._outage.failed(Outage.ASKING, error)
        return problem_response(unavailable("Redis is away, or refuses; try again"))

    def _misconfigured(self, error: MisconfiguredError) -> PlainResponse:
        self._outage.failed(Outage.ASKING, error)
        detail = "Redis refuses this server, whose log says why; try again later"
        return problem_response(unavailable(detail, retry_after_s=3))

    def _unsupported_server(self, error: UnsupportedServerError) -> PlainResponse:
        self._outage.failed(Outage.ASKING, error)
        return problem_response(unavailable(str(error), retry_after_s=30))


def add_error_handlers(app: Flask, responses: ErrorResponses) -> None:
    """Flask asks `responses` about every error."""
    app.register_error_handler(Exception, responses.response_to)


def _overloaded(error: OverloadedError) -> PlainResponse:
    return problem_response(overloaded(str(error)))


def _http_exception(error: HTTPException) -> PlainResponse:
    status = error.code or InternalServerError.code
    headers = [(name, value) for name, value in error.get_headers() if name.lower() == "allow"]
    detail = {
        400: "this is not a request that is served here; neither are WebSockets",
        404: "no such path; /openapi.json lists all paths",
        405: "method not allowed here; the header Allow lists those that are",
    }.get(status, error.description or error.name)
    return problem_response(Problem(status, _KINDS.get(status, ""), detail, headers=headers))
