"""Health: live as long as the process answers, ready while Redis takes its reads and writes.

Of a cluster a part is enough. What is away is away for all servers, so a load balancer that took
them all off would end what still works.
"""

from __future__ import annotations

from flask import Flask, Response

from http_server.redis_outage import Outage
from http_server.routes.add_route import add_route
from http_server.submit.service import SubmitService
from http_server.wire.problem import unavailable
from http_server.wire.response import json_response


def add_health_routes(app: Flask, service: SubmitService) -> None:
    """`/healthz` and `/readyz`, and the older names `/healthcheck` and `/ping`."""

    def live() -> Response:
        return json_response({"status": "ok"})

    def ready() -> Response:
        if service.room.draining:
            raise unavailable("this server is draining; use another one")
        service.manager.ping()
        service.outage.worked(Outage.SUBMITS)
        return json_response({"status": "ready"})

    def ping() -> Response:
        return json_response({"ping": "pong"})

    add_route(app, "/healthz", "live", live, ["GET"])
    add_route(app, "/healthcheck", "healthcheck", live, ["GET"])
    add_route(app, "/readyz", "ready", ready, ["GET"])
    add_route(app, "/ping", "ping", ping, ["GET"])
