"""The cookie that a login to the dashboard is: its name, and where browsers send it.

Browsers keep cookies by host, whatever the port, and take them from anybody there. Hence

- over TLS the name has a prefix, so that neither a page without TLS nor another host of the same
  domain can put a cookie of its own in the place of this one: `__Host-`, or, since that demands a
  cookie for the whole host, `__Secure-` where the server is at a path, of which others on the host
  are not to get it (draft-ietf-httpbis-rfc6265bis, section 4.1.3);
- the name tells the deployment, by its keys' prefix and its path: else two of one host would
  replace each other's logins.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

from werkzeug.http import dump_cookie

from doneyet.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class SessionCookie:
    """The cookie of one deployment.

    Attributes:
        plain: its name without TLS.
        secure: its name with TLS.
    """

    def __init__(self, settings: Settings) -> None:
        deployment = f"{settings.key_prefix} {settings.root_path}".encode()
        self.plain = f"doneyet_session_{blake2b(deployment, digest_size=4).hexdigest()}"
        self.secure = ("__Secure-" if settings.root_path else "__Host-") + self.plain
        self._path = settings.root_path or "/"

    def sent(self, environ: WSGIEnvironment) -> str | None:
        """The token in a request's cookie; None where that is missing, or is nothing of ours.

        Of a request by TLS the plain name counts for nothing. Where it cannot be told whether it is
        one, since a proxy does not say so, both do.
        """
        sent = dict[str, str]()
        for each in environ.get("HTTP_COOKIE", "").split(";"):
            name, _, value = each.strip(" ").partition("=")
            if _TOKEN.fullmatch(value) is not None:
                sent.setdefault(name, value)
        plain = None if _is_https(environ) else sent.get(self.plain)
        return sent.get(self.secure, plain)

    def header(self, environ: WSGIEnvironment, token: str) -> tuple[str, str]:
        """The header by which a browser keeps `token`, or forgets it where that is empty."""
        is_https = _is_https(environ)
        return (
            "set-cookie",
            dump_cookie(
                self.secure if is_https else self.plain,
                token,
                max_age=None if token else 0,
                path=self._path,
                httponly=True,
                samesite="Strict",
                secure=is_https,
            ),
        )


def _is_https(environ: WSGIEnvironment) -> bool:
    """Whether the browser speaks TLS, to this server or to a proxy before it.

    The browser itself says so in `Origin`, whatever a proxy passes on.
    """
    said = environ.get("HTTP_ORIGIN", ""), environ.get("HTTP_X_FORWARDED_PROTO", "")
    return environ["wsgi.url_scheme"] == "https" or any(
        each.lower().startswith("https") for each in said
    )
