"""`/load`: how busy each task type is, which is the one number that an autoscaler needs."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response

from doneyet.task_types import Registry
from http_server.routes.add_route import add_route
from http_server.submit.service import SubmitService
from http_server.wire.problem import Problem
from http_server.wire.response import json_response
from task_manager.interface import Load


def add_load_routes(app: Flask, registry: Registry, service: SubmitService) -> None:
    """All types at once, or one."""

    def load_of_all() -> Response:
        loads = service.manager.load(list(registry.types))
        return json_response(
            {
                "load": sum(one.waiting + one.running for one in loads),
                "waiting": sum(one.waiting for one in loads),
                "running": sum(one.running for one in loads),
                "types": {one.type: _members(one) for one in loads},
            }
        )

    def load_of_one(name: str) -> Response:
        if name not in registry.types:
            there_are = ", ".join(registry.types)
            raise Problem(404, "unknown-type", f"no task type {name!r}; there are: {there_are}")
        return json_response({"type": name, **_members(service.manager.load([name])[0])})

    add_route(app, "/load", "load", load_of_all, ["GET"])
    add_route(app, "/load/<path:name>", "load of one type", load_of_one, ["GET"])


def _members(load: Load) -> dict[str, Any]:
    return {
        "load": load.waiting + load.running,
        "waiting": load.waiting,
        "running": load.running,
        "workers": load.workers,
    }
