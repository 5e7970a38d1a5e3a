"""Refuses requests without a key, and those whose key does not permit what they ask for."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map

from http_server.keys.key_file import Key
from http_server.keys.key_ring import KeyRing
from http_server.keys.keyless import KEYLESS
from http_server.keys.roles import ENDPOINT, PUBLIC, least_role
from http_server.keys.sessions import Sessions
from http_server.middleware.access import Access
from http_server.wire.problem import Problem, forbidden, foreign_page, unauthorized, unavailable
from task_manager.errors import UnavailableError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

KEY = "doneyet.key"
"""Where the key of a request stands in its environment."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


TO_SUBMIT = least_role("POST", ENDPOINT)


class Authentication:
    """Knows keys, and which of the application's routes each permits.

    Args:
        ring: the keys.
        sessions: logins, by which browsers show a key.
        access: knows which pages are this server's.
        routes: all routes of the application; what none of them is for goes on to get its 404.
        submit_paths: the paths that inputs are submitted to.
    """

    def __init__(
        self,
        ring: KeyRing,
        sessions: Sessions,
        access: Access,
        routes: Map,
        submit_paths: Collection[str],
    ) -> None:
        self._ring, self._sessions, self._access = ring, sessions, access
        self._routes, self._submit_paths = routes, submit_paths

    def problem(self, environ: WSGIEnvironment) -> Problem | None:
        """Why this request is refused, if it is; else its key is in its environment."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"].upper()
        if path in PUBLIC or path in KEYLESS:
            return None
        try:
            environ[KEY] = key = self.shown_key(environ)
        except Problem as problem:
            return problem
        if method == "POST" and path in self._submit_paths:
            least = TO_SUBMIT
        else:
            try:
                rule, _ = self._routes.bind_to_environ(environ).match(return_rule=True)
            except HTTPException:
                return None  # nothing is there: 404, 405
            least = least_role(method, self.route_of(rule.rule, method))
        if least is not None and key.role >= least:
            return None
        needed = "no key permits it" if least is None else f"it takes the role {least.word}"
        return forbidden(f"the key {key.name} has the role {key.role.word}; for this, {needed}")

    def shown_key(self, environ: WSGIEnvironment) -> Key:
        """The key that a request shows, in a header or by the cookie of a login.

        Raises:
            Problem: it shows none, or one that is none; or a page that is not this server's may
                have had a browser send the cookie along.
        """
        secret = sent_key(environ)
        if secret is not None:
            key = self._ring.find(secret)
            if key is None:
                raise unauthorized("this server does not know the key that was sent")
            return key
        token = self._sessions.cookie.sent(environ)
        if token is None:
            raise unauthorized(
                "a key is needed: send it as Authorization: Bearer <key>, or as X-API-Key"
            )
        if environ["REQUEST_METHOD"].upper() not in SAFE and not self._access.is_own_page(environ):
            raise foreign_page("a login's cookie without an Origin of this server")
        try:
            key = self._sessions.find(token)
        except UnavailableError as error:
            raise unavailable(str(error)) from error
        if key is None:
            raise unauthorized("this login is over; log in again at /dashboard")
        return key

    def route_of(self, rule: str, method: str) -> str:
        """What the table of permissions calls one of the application's routes."""
        if rule in self._submit_paths and (rule != "/" or method == "POST"):
            return ENDPOINT
        path, _, last = rule.rpartition("/")
        if path in self._submit_paths and last == "<task_id>":
            return f"{ENDPOINT}/<task_id>"
        if path == "/docs":
            return "/docs/<file>"
        return rule.replace("<path:name>", "<type>")


def sent_key(environ: WSGIEnvironment) -> str | None:
    """The key that a request has, in one of two headers; None where neither has one.

    Another scheme of `Authorization` may be for a proxy before this server.
    """
    if authorization := environ.get("HTTP_AUTHORIZATION"):
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() == "bearer" and secret.strip():
            return str(secret.strip())
    return environ.get("HTTP_X_API_KEY", "").strip() or None


def key_of(environ: WSGIEnvironment) -> Key | None:
    """The key that a request was let in with; None where there are no keys."""
    return environ.get(KEY)
