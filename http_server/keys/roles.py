"""What each role may do. A route that is not in `PERMISSIONS` is for nobody."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple


class Role(IntEnum):
    """What a key is for; each role may do what those before it may."""

    ASK = 1
    READ = 2
    OPERATE = 3

    @property
    def word(self) -> str:
        """What key files, commands and messages call it."""
        return self.name.lower()


ROLES: Mapping[str, Role] = {role.word: role for role in Role}
"""By their words."""

PUBLIC = frozenset({"/healthz", "/readyz", "/ping", "/healthcheck"})
"""Paths that need no key, and are neither limited nor refused to pages of other sites: load
balancers and container health checks call them, and they tell nothing."""

ENDPOINT = "<endpoint>"
"""Stands for each path that inputs are submitted to, `/` too where that is one."""


class Permission(NamedTuple):
    """Who may do one thing."""

    method: str
    """GET is HEAD, too; OPTIONS of a route takes what its least demanding method takes."""
    route: str
    least: Role
    meaning: str


PERMISSIONS = (
    Permission("POST", ENDPOINT, Role.ASK, "submit inputs, and poll them"),
    Permission("GET", f"{ENDPOINT}/<task_id>", Role.ASK, "see a task whose id one knows"),
    Permission("GET", "/tasks/<task_id>", Role.ASK, "the same"),
    Permission("GET", "/tasks/<task_id>/events", Role.ASK, "watch it"),
    Permission("GET", "/openapi.json", Role.ASK, "see what can be asked"),
    Permission("GET", "/docs", Role.ASK, "the same, as a page"),
    Permission("GET", "/docs/<file>", Role.ASK, "the files of that page"),
    Permission("GET", "/", Role.ASK, "be sent to that page"),
    Permission("GET", "/load", Role.READ, "see how busy all task types are"),
    Permission("GET", "/load/<type>", Role.READ, "see how busy one is"),
    Permission("GET", "/tasks", Role.READ, "list tasks of all clients"),
    Permission("GET", "/workers", Role.READ, "list workers and what they run"),
    Permission(
        "GET", "/history", Role.READ, "see what happened in each of the last minutes or hours"
    ),
    Permission("GET", "/metrics", Role.READ, "scrape a server's metrics"),
    Permission("GET", "/metrics/queue", Role.READ, "scrape the queues' metrics"),
    Permission("POST", "/dashboard/login", Role.READ, "log in to the dashboard by a cookie"),
    Permission("POST", "/dashboard/logout", Role.READ, "have that cookie be none"),
    Permission("DELETE", "/tasks/<task_id>", Role.OPERATE, "cancel anybody's task"),
    Permission("DELETE", "/tasks", Role.OPERATE, "cancel all waiting tasks of a type"),
    Permission("POST", "/types/<type>/pause", Role.OPERATE, "have no task of a type begin"),
    Permission("POST", "/types/<type>/resume", Role.OPERATE, "have them begin again"),
)
"""Every route that needs a key. What is not here is refused, whatever the key."""

_LEAST = {(each.method, each.route): each.least for each in PERMISSIONS}
_LEAST_OF_ROUTE = {
    each.route: min(other.least for other in PERMISSIONS if other.route == each.route)
    for each in PERMISSIONS
}


def least_role(method: str, route: str) -> Role | None:
    """The first role that may do this; None: nobody may."""
    if method == "OPTIONS":
        return _LEAST_OF_ROUTE.get(route)
    return _LEAST.get(("GET" if method == "HEAD" else method, route))
