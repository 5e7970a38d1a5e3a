"""Whoever wants to hear of every request, refused ones too, when its response is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Observer = Callable[["WSGIEnvironment", str, float], None]
"""Hears a request's environment, the status code of its response, and seconds until that."""


def with_observers(
    app: WSGIApplication, observers: Sequence[Observer]
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """`app`, of each of whose requests the observers hear; of a stream when it begins."""

    def observed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began_s = time.perf_counter()
        code = "500"

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal code
            code = status[:3]
            return start_response(status, headers, exc_info)

        try:
            return app(environ, start)
        finally:
            elapsed_s = time.perf_counter() - began_s
            for observe in observers:
                observe(environ, code, elapsed_s)

    return observed
