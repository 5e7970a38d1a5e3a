"""A line per request, where that is set: never a query string or a body, which are inputs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from http_server.middleware.observed import Observer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger(__name__)


def access_log(client_of: Callable[[WSGIEnvironment], str]) -> Observer:
    """Logs each request that it hears of."""

    def observe(environ: WSGIEnvironment, code: str, elapsed_s: float) -> None:
        fields = {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "status": int(code),
            "ms": round(elapsed_s * 1000, 1),
            "client": client_of(environ),
        }
        text = "%(method)s %(path)r %(status)d %(ms).1f ms %(client)s"
        log.info(text, fields, extra={"fields": fields})

    return observe
