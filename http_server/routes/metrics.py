"""`/metrics`: this server process; `/metrics/queue`: the queues, of which every server tells the
same, so it is to be scraped once, at any of them."""

from __future__ import annotations

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from http_server.metrics.queue_metrics import QueueMetrics
from http_server.metrics.request_metrics import RequestMetrics
from http_server.routes.add_route import add_route
from http_server.wire.response import PlainResponse


def add_metrics_routes(app: Flask, requests: RequestMetrics, queues: QueueMetrics) -> None:
    """Both, in the format that the scraper prefers."""
    of_queues = CollectorRegistry()
    of_queues.register(queues)

    def exposed(registry: CollectorRegistry) -> Response:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return PlainResponse(encode(registry), 200, media_type)

    add_route(app, "/metrics", "metrics", lambda: exposed(requests.registry), ["GET"])
    add_route(app, "/metrics/queue", "queue metrics", lambda: exposed(of_queues), ["GET"])
