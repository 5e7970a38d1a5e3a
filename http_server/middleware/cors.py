"""Pages of other sites that may use this server, as the Fetch standard has browsers ask (CORS).

An origin (scheme, host and port of a page) that `DONEYET_CORS_ORIGINS` lists may send any request
and read any reply, problems too; `middleware/access.py` refuses all others. What such a page may do
is what any program may: it needs a key where others do. It never acts as whoever is logged in here
in the same browser: cookies of its requests are not read, and no reply permits credentials.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings
from http_server.wire.response import PlainResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EVERYBODY = "*"

EXPOSED = (
    *("Accept-Encoding", "Accept-Post", "Allow", "Location", "Preference-Applied"),
    *("Retry-After", "WWW-Authenticate"),
)
"""Headers of replies that scripts may read, besides those that they always may."""

METHODS = "GET, HEAD, POST, DELETE"
KEPT_S = 600
"""How long a browser may go by one preflight. Chromium keeps none for more than two hours."""

_MOST_CHARACTERS = 2000  # of the header names that a preflight asks for
_NAMES = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+( ?, ?[a-z0-9!#$%&'*+.^_`|~-]+)*", re.IGNORECASE)
_LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_HOST = rf"({_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]{{2,45}}\])"
_ORIGIN = re.compile(rf"(?P<scheme>[a-z][a-z0-9+.-]*)://{_HOST}(?P<port>:[0-9]{{1,5}})?")
_USUAL_PORTS = {"http": ":80", "https": ":443"}


class Cors:
    """Which origins are listed, and what their pages are told.

    Raises:
        SettingError: `settings.cors_origins` has something that is no origin.
    """

    def __init__(self, settings: Settings) -> None:
        listed = [text for text in map(str.strip, settings.cors_origins.split(",")) if text]
        if EVERYBODY in listed and len(listed) > 1:
            raise SettingError(
                f"{env_name('cors_origins')}: {EVERYBODY} stands alone, since it lets every page in"
            )
        self.everybody = EVERYBODY in listed
        self._listed = frozenset() if self.everybody else frozenset(map(_origin, listed))

    def __bool__(self) -> bool:
        """Whether there is anybody whom it lets in."""
        return self.everybody or bool(self._listed)

    def allows(self, origin: str | None) -> bool:
        """Whether pages of `origin`, as a browser sends it, may use the server."""
        return origin is not None and (self.everybody or origin in self._listed)

    def around(
        self, app: WSGIApplication, is_own: Callable[[WSGIEnvironment], bool]
    ) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
        """`app`, whose replies say who may read them; preflights it does not see.

        Args:
            is_own: whether a page of this server itself made a request; its cookies count.
        """
        varying = [] if self.everybody else [("vary", "Origin")]

        def told(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            origin = environ.get("HTTP_ORIGIN")
            extra = varying
            if origin is not None and self.allows(origin) and not is_own(environ):
                if _is_preflight(environ):
                    return self._preflight(environ, origin)(environ, start_response)
                environ.pop("HTTP_COOKIE", None)
                exposed = ("access-control-expose-headers", ", ".join(EXPOSED))
                extra = [self._allowed(origin), exposed, *varying]

            def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                return start_response(status, [*headers, *extra], exc_info)

            return app(environ, start)

        return told

    def _allowed(self, origin: str) -> tuple[str, str]:
        return "access-control-allow-origin", EVERYBODY if self.everybody else origin

    def _preflight(self, environ: WSGIEnvironment, origin: str) -> PlainResponse:
        """What a page may send: it is let in, so whatever it asks for."""
        asked = "Access-Control-Request-Method, Access-Control-Request-Headers"
        headers = [
            self._allowed(origin),
            ("access-control-allow-methods", METHODS),
            ("access-control-max-age", str(KEPT_S)),
            ("vary", asked if self.everybody else f"Origin, {asked}"),
        ]
        names = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
        if len(names) <= _MOST_CHARACTERS and _NAMES.fullmatch(names):
            headers.append(("access-control-allow-headers", names))
        return PlainResponse(b"", 204, "", headers)


def _is_preflight(environ: WSGIEnvironment) -> bool:
    return (
        environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def _origin(text: str) -> str:
    """An origin as browsers send it.

    Raises:
        SettingError: it is none.
    """
    found = _ORIGIN.fullmatch(text.lower()) if text.isascii() else None
    if found is None:
        raise SettingError(
            f"{env_name('cors_origins')} must be origins such as https://app.example.org or "
            f"http://localhost:3000, without a path, or {EVERYBODY} for every page, not {text!r}"
        )
    if found["port"] and found["port"] == _USUAL_PORTS.get(found["scheme"]):
        return found[0].removesuffix(found["port"])
    return found[0]
