"""`/load`: how busy each task type is: `load` is the one number that an autoscaler needs. And
`/types/<type>/pause` and `/resume`, which decide whether its tasks begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Flask, Response

from doneyet.task_types import Registry
from http_server.routes.add_route import add_route
from http_server.routes.reachable import reachable
from http_server.submit.service import SubmitService
from http_server.wire.problem import Problem
from http_server.wire.query import unknown_type
from http_server.wire.response import json_response
from task_manager.errors import CannotPauseError
from task_manager.values import Load


def add_load_routes(app: Flask, registry: Registry, service: SubmitService) -> None:
    """All types at once, or one; the load is the answer to pausing, too."""

    def known(name: str) -> None:
        if name not in registry.types:
            raise unknown_type(name, list(registry.types))

    def looked_at(names: Sequence[str]) -> dict[str, dict[str, Any]]:
        manager = service.manager
        told = {load.type: _members(load) for load in manager.load(names)}
        for name, waits_s in zip(names, manager.oldest(names), strict=True):
            told[name]["oldest_waiting_s"] = waits_s
        for load in manager.other_versions(names):
            others = told[load.type].setdefault("other_versions", [])
            others.append({"version": load.version, **_members(load)})
        return told

    def load_of_all() -> Response:
        names, missing = reachable(service.manager, list(registry.types))
        loads = looked_at(names)
        # Whoever scales by a sum must not take what is unknown for nothing.
        sums = {
            count: None if missing else sum(one[count] for one in loads.values())
            for count in ("load", "waiting", "running")
        }
        return json_response({**sums, "types": loads, **missing})

    def load_of_one(name: str) -> Response:
        known(name)
        return json_response({"type": name, **looked_at([name])[name]})

    def pause(name: str) -> Response:
        return set_paused(name, paused=True)

    def resume(name: str) -> Response:
        return set_paused(name, paused=False)

    def set_paused(name: str, *, paused: bool) -> Response:
        known(name)
        try:
            service.manager.pause(name, paused=paused)
        except CannotPauseError as error:
            raise Problem(501, "cannot-pause", str(error)) from error
        return load_of_one(name)

    add_route(app, "/types/<path:name>/pause", "pause", pause, ["POST"])
    add_route(app, "/types/<path:name>/resume", "resume", resume, ["POST"])
    add_route(app, "/load", "load", load_of_all, ["GET"])
    add_route(app, "/load/<path:name>", "load of one type", load_of_one, ["GET"])


def _members(load: Load) -> dict[str, Any]:
    return {
        "load": load.waiting + load.running,
        "waiting": load.waiting,
        "running": load.running,
        "workers": load.workers,
        "paused": load.paused,
    }
