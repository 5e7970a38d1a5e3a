"""A collector of spans: OTLP over HTTP, on a loopback port."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Heard:
    """One span.

    Attributes:
        service: who made it.
        name, kind, attributes: as it says.
        trace, parent: ids, in hexadecimal digits; parent is empty where it has none.
        links: the traces that it links to.
        is_error: what its status says.
    """

    def __init__(self, service: str, span: Any) -> None:
        self.service, self.name, self.kind = service, span.name, span.kind
        self.trace, self.parent = span.trace_id.hex(), span.parent_span_id.hex()
        self.id = span.span_id.hex()
        self.links = {link.trace_id.hex() for link in span.links}
        self.attributes = {each.key: _value(each.value) for each in span.attributes}
        self.is_error = span.status.code == 2

    def __repr__(self) -> str:
        return f"{self.service}: {self.name} {self.trace} {self.attributes} {self.links}"


class Collector:
    """Listens until closed; `spans` are those that it heard of."""

    def __init__(self) -> None:
        self.spans: list[Heard] = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    named = {
                        each.key: _value(each.value) for each in of_resource.resource.attributes
                    }
                    service = str(named["service.name"])
                    for scope in of_resource.scope_spans:
                        spans.extend(Heard(service, span) for span in scope.spans)
                reply = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where spans go."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def of(self, service: str, name: str) -> list[Heard]:
        """Those that a service has made under a name."""
        return [span for span in self.spans if (span.service, span.name) == (service, name)]

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
