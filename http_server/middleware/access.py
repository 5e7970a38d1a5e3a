"""Web pages of other sites are refused, though the browsers that show them reach this server.

A page can have its visitor's browser send requests to any address, loopback too, as a form or from
a script; and its owner can have its name lead to this server's address afterwards (DNS rebinding),
so that for the browser page and server are one site. Two looks at each request stop both:

- **Host**, the name that the browser believes to speak to. It must be one that nobody else can make
  lead here: an address, `localhost`, a name without a dot, or one that `DONEYET_HOSTS` names.
- **Sec-Fetch-Site**, which browsers set and pages cannot. It must be absent, `same-origin` or
  `none`. Browsers leave it out where the server is neither at loopback nor behind TLS; then
  `Origin`, where there is one, must be this server's.

Pages of an origin that `DONEYET_CORS_ORIGINS` lists pass the second (`middleware/cors.py`).
Programs that are no browsers can send what they like, and need no permission of a page.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from http_server.keys.roles import PUBLIC
from http_server.middleware.cors import Cors
from http_server.wire.problem import Problem, bad_request, foreign_host, foreign_page

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ALWAYS_ANSWERED = PUBLIC
"""Load balancers call these by whatever name they have, and they tell nothing."""

DOCUMENTATION = frozenset({"/", "/docs", "/openapi.json", "/dashboard"})
"""What a link on another site may lead to: it shows and changes nothing of anybody's. No page can
put it in a frame, where a visitor would click without seeing (`routes/docs.py`)."""

MOST_HOSTS = 1024
"""Values of `Host` whose names were found to be good; beyond it they are looked at again."""

_ANY_CASE = re.IGNORECASE | re.ASCII  # ASCII: else the Kelvin sign is a `k`
_HOST = re.compile(r"(?P<name>[a-z0-9_.-]{1,255}|\[[0-9a-f:.]{2,45}\])(:[0-9]{0,5})?", _ANY_CASE)
_LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_SETTING = re.compile(rf"(?P<any>\*\.)?(?P<name>{_LABEL}(\.{_LABEL})*)\.?(:[0-9]+)?", _ANY_CASE)
_OWN_SITES = frozenset({"same-origin", "none"})
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Access:
    """Which requests a page of somebody else may have made.

    Raises:
        SettingError: `settings.hosts` has something that is no host name, or
            `settings.cors_origins` something that is no origin.
    """

    def __init__(self, settings: Settings) -> None:
        self.good_hosts: set[str] = set()
        self.cors = Cors(settings)
        self._names, self._suffixes = _named(settings)

    def problem(self, environ: WSGIEnvironment) -> Problem | None:
        """Why this request is refused, if it is."""
        path = environ["PATH_INFO"]
        if path in ALWAYS_ANSWERED:
            return None
        host = environ.get("HTTP_HOST", "")
        if host not in self.good_hosts and (problem := self._host_problem(host)):
            return problem
        return self._page_problem(environ, path, host)

    def _page_problem(self, environ: WSGIEnvironment, path: str, host: str) -> Problem | None:
        """Why the page that made this request may not, if a page did."""
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if site in _OWN_SITES:
            return None
        origin = environ.get("HTTP_ORIGIN")
        if self.cors.allows(origin):
            return None
        if site is not None:
            link = path in DOCUMENTATION and _is_link(environ)
            return None if link else foreign_page(f"Sec-Fetch-Site: {site}")
        if origin is None or self._is_own(origin, host):
            return None
        return foreign_page(f"Origin: {origin}")

    def is_own(self, environ: WSGIEnvironment) -> bool:
        """Whether a page of this server made a request that names an origin."""
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if site is not None:
            return site in _OWN_SITES
        return self._is_own(environ["HTTP_ORIGIN"], environ.get("HTTP_HOST", ""))

    def is_own_page(self, environ: WSGIEnvironment) -> bool:
        """Whether the browser says that a page of this server made this request, one that changes
        something. Programs that are no browsers say nothing: it is for what only browsers send."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:  # browsers name it whenever a page sends more than GET or HEAD
            return False
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if site == "same-origin":
            return True
        return site in (None, "none") and self._is_own(origin, environ.get("HTTP_HOST", ""))

    def _host_problem(self, host: str) -> Problem | None:
        """Why a request for `host` is refused; a good one is remembered."""
        match = _HOST.fullmatch(host)
        if match is None:
            return bad_request(
                "the request must have one Host header, with one host name or address"
            )
        name = match["name"].lower().removesuffix(".")
        if not (self._is_named(name) or _leads_nowhere_else(name)):
            return foreign_host(name)
        if len(self.good_hosts) >= MOST_HOSTS:
            self.good_hosts.clear()
        self.good_hosts.add(host)
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` is one of this server's."""
        scheme, separator, place = origin.lower().partition("://")
        if not separator:
            return False  # `null`: a page in a sandbox, or one that hides where it is from
        port = _DEFAULT_PORTS.get(scheme, "")
        if place.removesuffix(port) == host.lower().removesuffix(port):
            return True
        match = _HOST.fullmatch(place)
        return match is not None and self._is_named(match["name"].removesuffix("."))

    def _is_named(self, name: str) -> bool:
        """Whether the settings name `name`."""
        return name in self._names or name.endswith(self._suffixes)


def _named(settings: Settings) -> tuple[frozenset[str], tuple[str, ...]]:
    """The host names of `settings`, and what names end with that `*.` stands before."""
    names, suffixes = set[str](), list[str]()
    if not _leads_nowhere_else(settings.host.lower()):  # else any page on this machine were ours
        names.add(settings.host.lower())
    for text in filter(None, map(str.strip, settings.hosts.split(","))):
        match = _SETTING.fullmatch(text)
        if match is None:
            raise SettingError(
                "DONEYET_HOSTS must be host names such as example.org or *.example.org, without "
                f"scheme or path and with letters beyond ASCII as xn--..., not {text!r}"
            )
        name = match["name"].lower()
        if match["any"]:
            suffixes.append(f".{name}")
        else:
            names.add(name)
    return frozenset(names), tuple(suffixes)


def _leads_nowhere_else(name: str) -> bool:
    """Whether `name` is an address, or a name that the public DNS does not know."""
    if "." not in name and not name.startswith("["):
        return bool(name)
    if name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_link(environ: WSGIEnvironment) -> bool:
    """Whether a visitor follows a link, and the page fills a tab of its own."""
    return (
        environ["REQUEST_METHOD"] in ("GET", "HEAD")
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") == "document"
    )
