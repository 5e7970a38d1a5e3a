"""Refuses requests without a key, and those whose key does not permit what they ask for."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map

from http_server.keys.key_file import Key
from http_server.keys.key_ring import KeyRing
from http_server.keys.roles import ENDPOINT, PUBLIC, least_role
from http_server.wire.problem import Problem, forbidden, unauthorized

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

KEY = "doneyet.key"
"""Where the key of a request stands in its environment."""


class Authentication:
    """Knows keys, and which of the application's routes each permits.

    Args:
        ring: the keys.
        routes: all routes of the application; what none of them is for goes on to get its 404.
        submit_paths: the paths that inputs are submitted to.
    """

    def __init__(self, ring: KeyRing, routes: Map, submit_paths: Collection[str]) -> None:
        self._ring, self._routes, self._submit_paths = ring, routes, submit_paths

    def problem(self, environ: WSGIEnvironment) -> Problem | None:
        """Why this request is refused, if it is; else its key is in its environment."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"].upper()
        if path in PUBLIC:
            return None
        secret = sent_key(environ)
        if secret is None:
            return unauthorized(
                "a key is needed: send it as Authorization: Bearer <key>, or as X-API-Key"
            )
        key = self._ring.find(secret)
        if key is None:
            return unauthorized("this server does not know the key that was sent")
        environ[KEY] = key
        if method == "POST" and path in self._submit_paths:
            route = ENDPOINT
        else:
            try:
                rule, _ = self._routes.bind_to_environ(environ).match(return_rule=True)
            except HTTPException:
                return None  # nothing is there: 404, 405
            route = self.route_of(rule.rule, method)
        least = least_role(method, route)
        if least is not None and key.role >= least:
            return None
        needed = "no key permits it" if least is None else f"it takes the role {least.word}"
        return forbidden(f"the key {key.name} has the role {key.role.word}; for this, {needed}")

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
    scheme, _, secret = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return str(secret.strip())
    return environ.get("HTTP_X_API_KEY", "").strip() or None


def key_of(environ: WSGIEnvironment) -> Key | None:
    """The key that a request was let in with; None where there are no keys."""
    return environ.get(KEY)
