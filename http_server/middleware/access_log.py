"""A line per request, where that is set: never a query string or a body, which are inputs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)


def with_access_log(
    app: WSGIApplication, client_of: Callable[[WSGIEnvironment], str]
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """`app`, each of whose requests is logged when its response is there."""

    def logging_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began_s = time.perf_counter()
        code = "500"

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal code
            code = status[:3]
            return start_response(status, headers, exc_info)

        try:
            return app(environ, start)
        finally:
            fields = {
                "method": environ["REQUEST_METHOD"],
                "path": environ["PATH_INFO"],
                "status": int(code),
                "ms": round((time.perf_counter() - began_s) * 1000, 1),
                "client": client_of(environ),
            }
            text = "%(method)s %(path)r %(status)d %(ms).1f ms %(client)s"
            log.info(text, fields, extra={"fields": fields})

    return logging_app
