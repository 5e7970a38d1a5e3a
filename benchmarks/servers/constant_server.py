"""A Flask route that returns a constant, on granian exactly as http_server sets it up.

`python -m benchmarks.servers.constant_server`, with the settings in the environment.
"""

from __future__ import annotations

import signal

from flask import Flask, Response

from doneyet.settings import Settings
from http_server.serving import server
from http_server.serving.lifecycle import DRAIN_SIGNAL

BODY = (
    b'{"number":408216,"factorization":[[2,3],[3,1],[73,1],[233,1]],'
    b'"factorization_str":"2^3 3^1 73^1 233^1","done":true,"load":0,'
    b'"id":"0123456789abcdef0123456789abcdef01234567","status":"done"}\n'
)


def app_for_server() -> Flask:
    """The application of granian's worker process."""
    signal.signal(DRAIN_SIGNAL, signal.SIG_IGN)
    app = Flask("constant")

    @app.post("/factorize")
    def factorize() -> Response:
        return Response(BODY, mimetype="application/json")

    @app.get("/ready")
    def ready() -> str:
        return "ready"

    return app


if __name__ == "__main__":
    made = server.make_server(Settings.from_environment())
    made.serve(target_loader=app_for_server, wrap_loader=False)
