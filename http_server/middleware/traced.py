"""A span per request, which continues the trace that the request came with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from http_server.keys.roles import PUBLIC
from http_server.metrics.request_metrics import ROUTE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from opentelemetry.trace import Tracer

METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
)
"""Those that spans name; any other word, of which strangers may send many, is `_OTHER`."""

MOST_OF_PATH = 1000
"""Characters of a path that a span has. Those of requests that are refused may have thousands."""


def with_spans(
    app: WSGIApplication, tracer: Tracer
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """`app`, of whose requests each has a span, but for those of health checks.

    Named and described by OpenTelemetry's conventions for HTTP: method, route, status. Neither a
    query string nor a body, which are inputs. The span of a stream ends when the stream begins.
    """
    from opentelemetry.trace import SpanKind, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()

    def traced(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in PUBLIC:
            return app(environ, start_response)
        method = environ["REQUEST_METHOD"].upper()
        method, name = (method, method) if method in METHODS else ("_OTHER", "HTTP")
        came_with = {
            name: environ[key]
            for name, key in (
                ("traceparent", "HTTP_TRACEPARENT"),
                ("tracestate", "HTTP_TRACESTATE"),
            )
            if key in environ
        }
        with tracer.start_as_current_span(
            name,
            context=propagator.extract(came_with),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "url.path": environ["PATH_INFO"][:MOST_OF_PATH],
            },
        ) as span:

            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                code = int(status[:3])
                span.set_attribute("http.response.status_code", code)
                if code >= 500:
                    span.set_status(StatusCode.ERROR)
                return start_response(status, headers, exc_info)

            response = app(environ, start)
            if route := environ.get(ROUTE):
                span.set_attribute("http.route", route)
                span.update_name(f"{name} {route}")
            return response

    return traced
