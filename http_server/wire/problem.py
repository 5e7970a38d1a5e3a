"""Errors as RFC 9457 problem details, and the only place where one is worded for HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from task_manager.errors import (
    ClientKeepsTooManyError,
    ClientOverloadedError,
    LargeAnswersError,
    NoStatusError,
    TooManyKeptError,
    TypeUnavailableError,
)

MEDIA_TYPE = "application/problem+json"
AWAY = "Redis is away, or refuses; try again"
MOST_ERRORS = 50  # wrong fields named in one problem
_MOST_CHARACTERS = 500  # of one sentence or pointer; what was sent may be in it

TITLES = {
    "bad-request": "Bad request",
    "not-json": "The body is not JSON",
    "unauthorized": "Key needed",
    "forbidden": "Not permitted with this key",
    "foreign-host": "Host not allowed",
    "foreign-page": "Cross-site request refused",
    "not-found": "Not found",
    "unknown-task": "Task not found",
    "unknown-type": "Task type not found",
    "method-not-allowed": "Method not allowed",
    "cannot-pause": "Task types cannot be paused here",
    "cannot-list": "Waiting tasks cannot be listed here",
    "cannot-keep": "Tasks cannot be kept here",
    "no-hours": "Hours are not kept here",
    "no-webhooks": "Webhooks are not set up here",
    "bad-webhook": "Webhook refused",
    "already-terminal": "The task is already finished",
    "too-large": "Content too large",
    "too-slow": "Request timeout",
    "unsupported-media-type": "Unsupported media type",
    "invalid-input": "Invalid input",
    "internal-error": "Internal server error",
    "rate-limited": "Rate limit exceeded",
    "overloaded": "Too many tasks",
    "client-overloaded": "Too many waiting tasks of this client",
    "client-keeps-too-many": "Too many kept tasks of this client",
    "answers-too-large": "Too many large answers at once",
    "unavailable": "Service unavailable",
}
"""Every kind of problem; `type` is `urn:doneyet:problem:<kind>`."""


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """Raised when a request gets no answer but a problem object; `errors` name wrong fields."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: Sequence[dict[str, str]] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.status, self.kind, self.detail = status, kind, _cut(detail, 3 * _MOST_CHARACTERS)
        super().__init__(self.detail)
        self.errors = [
            {name: _cut(text) for name, text in error.items()} for error in errors[:MOST_ERRORS]
        ]
        self.headers = list(headers)

    def as_dict(self, *, brief: bool = False) -> dict[str, Any]:
        """The problem object; a brief one does not name all wrong fields."""
        members: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.kind:
            members |= {"type": f"urn:doneyet:problem:{self.kind}", "title": TITLES[self.kind]}
        if brief:
            members["detail"] = _cut(self.detail, 200)
        elif self.errors:
            members["errors"] = self.errors
        return members

    def as_json(self, *, brief: bool = False) -> bytes:
        """The problem object as JSON (ASCII, so that no text in it can be unencodable)."""
        return json.dumps(self.as_dict(brief=brief), separators=(",", ":")).encode()


def _cut(text: str, most: int = _MOST_CHARACTERS) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def bad_request(detail: str, kind: str = "bad-request") -> Problem:
    """400: what was sent cannot be read."""
    return Problem(400, kind, detail)


def unauthorized(detail: str) -> Problem:
    """401: whoever sent this has not shown a key that is one."""
    return Problem(401, "unauthorized", detail, headers=[("www-authenticate", "Bearer")])


def forbidden(detail: str) -> Problem:
    """403: the key is one, but not for this."""
    return Problem(403, "forbidden", detail)


def foreign_host(name: str) -> Problem:
    """403: nobody told this server that it is known by `name`; a page may have made up the name."""
    detail = (
        f"this server does not know the host name {name[:100]!r}; if it is right, add it to "
        "DONEYET_HOSTS"
    )
    return Problem(403, "foreign-host", detail)


def foreign_page(evidence: str) -> Problem:
    """403: a browser sent this for a page that is not this server's; a header is the evidence."""
    detail = (
        f"a web page of another site made this request ({evidence[:100]}); only this server's "
        "own pages may, and those of origins in DONEYET_CORS_ORIGINS. Behind a proxy, add its host "
        "name to DONEYET_HOSTS"
    )
    return Problem(403, "foreign-page", detail)


def invalid_input(errors: Sequence[dict[str, str]]) -> Problem:
    """422: what was sent was read, and some of its fields are wrong."""
    shown = "; ".join(
        _cut(f"{error['pointer']}: {error['detail']}" if error["pointer"] else error["detail"])
        for error in errors[:3]
    )
    return Problem(422, "invalid-input", shown, errors=errors)


def invalid_whole(detail: str) -> Problem:
    """422 about the input as a whole."""
    return invalid_input([{"pointer": "", "detail": detail}])


def unknown_task() -> Problem:
    """404: the id was never given, or its task has expired."""
    return Problem(404, "unknown-task", "no such task, or it has expired; submit its input again")


def rate_limited(retry_after_s: int) -> Problem:
    """429: this client has used up its requests for now."""
    detail = (
        "this client sends more requests a second than DONEYET_CLIENT_RATE, or the rate of its "
        "key, allows; send arrays, or use Prefer: wait"
    )
    return Problem(429, "rate-limited", detail, headers=[("retry-after", str(retry_after_s))])


def unavailable(detail: str, retry_after_s: int = 1) -> Problem:
    """503 for now; the same request may work in a second."""
    return Problem(503, "unavailable", detail, headers=[("retry-after", str(retry_after_s))])


def no_status(error: NoStatusError) -> Problem:
    """Of one task: 503 where its type has too many or is away, or answers are too large; 429 where
    its client has too many."""
    if isinstance(error, TypeUnavailableError):
        return unavailable(AWAY)
    status, kind, retry_after_s = 503, "overloaded", "2"
    if isinstance(error, ClientOverloadedError):
        status, kind = 429, "client-overloaded"
    elif isinstance(error, LargeAnswersError):
        kind, retry_after_s = "answers-too-large", "1"
    return Problem(status, kind, str(error), headers=[("retry-after", retry_after_s)])


def no_hours() -> Problem:
    """501: the server was not told to keep what happens by the hour."""
    detail = "this server keeps no counts by the hour; start it with DONEYET_HOURLY_HISTORY=on"
    return Problem(501, "no-hours", detail)


def not_kept(error: TooManyKeptError) -> Problem:
    """503 where too many tasks are kept, 429 where too many of this client are."""
    status, kind = 503, "overloaded"
    if isinstance(error, ClientKeepsTooManyError):
        status, kind = 429, "client-keeps-too-many"
    return Problem(status, kind, str(error), headers=[("retry-after", "2")])
