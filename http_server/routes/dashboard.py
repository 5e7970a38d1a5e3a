"""`/dashboard`: a page that shows types, tasks and workers, and the login that it needs where there
are keys. What it shows it asks of the other routes, as any client could."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path

from flask import Flask, Response, request, send_from_directory

from http_server.keys.keyless import DASHBOARD, DASHBOARD_FILES, SESSION
from http_server.keys.roles import Role
from http_server.keys.sessions import Sessions
from http_server.middleware.authentication import Authentication, key_of, sent_key
from http_server.routes.add_route import add_route
from http_server.wire.problem import Problem, unauthorized
from http_server.wire.response import PROTECTED, PlainResponse, json_response

# Nothing in the page is a script or a style but these files, so no text of a task can become one.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = [
    ("content-security-policy", _POLICY),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
]
_FOLDER = str(files("http_server") / "static" / "dashboard")


@dataclass(frozen=True)
class Login:
    """What knows who is logged in."""

    authentication: Authentication
    sessions: Sessions


def add_dashboard_routes(app: Flask, login: Login | None) -> None:
    """The page and its files; its login where there are keys, else None."""
    page = Path(_FOLDER, "dashboard.html").read_bytes()

    def dashboard() -> Response:
        return PlainResponse(page, HTTPStatus.OK, "text/html; charset=utf-8", _HEADERS)

    def session() -> Response:
        if login is None:
            return _visitor(None, Role.OPERATE, keys=False)
        try:
            key = login.authentication.shown_key(request.environ)
        except Problem as problem:
            if problem.status == HTTPStatus.UNAUTHORIZED:
                return _visitor(None, None, keys=True)
            raise
        return _visitor(key.name, key.role, keys=True)

    add_route(app, DASHBOARD, "dashboard", dashboard, ["GET"])
    add_route(app, SESSION, "session", session, ["GET"])
    for name in DASHBOARD_FILES:
        add_route(app, f"{DASHBOARD}/{name}", f"dashboard {name}", _file(name), ["GET"])
    if login is not None:
        _add_login_routes(app, login.sessions)


def _add_login_routes(app: Flask, sessions: Sessions) -> None:
    """Whoever shows a key gets a cookie in its place, and whoever shows that can be rid of it."""

    def log_in() -> Response:
        key = key_of(request.environ)
        assert key is not None, "let in without a key"
        if sent_key(request.environ) is None:  # else a login could be made to last for ever
            raise unauthorized("log in with a key; the cookie of a login makes no other")
        response = _visitor(key.name, key.role, keys=True)
        response.headers.add(*sessions.cookie.header(request.environ, sessions.open(key)))
        return response

    def log_out() -> Response:
        token = sessions.cookie.sent(request.environ)
        if token is not None:
            sessions.close(token)
        response = _visitor(None, None, keys=True)
        response.headers.add(*sessions.cookie.header(request.environ, ""))
        return response

    add_route(app, f"{DASHBOARD}/login", "log in", log_in, ["POST"])
    add_route(app, f"{DASHBOARD}/logout", "log out", log_out, ["POST"])


def _visitor(name: str | None, role: Role | None, *, keys: bool) -> PlainResponse:
    """Who the page is shown to; the role None may see nothing yet."""
    return json_response({"keys": keys, "name": name, "role": role and role.word})


def _file(name: str) -> Callable[[], Response]:
    def view() -> Response:
        # Asked for each time whether it changed: files of two versions would not fit together.
        response = send_from_directory(_FOLDER, name, max_age=0)
        response.headers.extend([*PROTECTED, *_HEADERS])
        return response

    return view
