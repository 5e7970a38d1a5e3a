"""The URL of a webhook, taken apart and checked as far as that is possible before it is used."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from doneyet.setting_values import env_name
from doneyet.settings import Settings
from http_server.webhooks.addresses import refusal
from http_server.wire.problem import Problem

MOST_CHARACTERS = 2000
PORTS = {"https": 443, "http": 80}

_VISIBLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")  # after `urlsplit`, which takes the brackets off


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook is sent to."""

    scheme: str
    host: str
    port: int
    path: str
    """With the query, as it stands in the request."""

    @property
    def place(self) -> str:
        """What logs show of it: path and query may hold what only the receiver should know."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@lru_cache(maxsize=256)
def target_of(url: str, *, http: bool, private: bool) -> Target:
    """What `url` names. `http`: whether it may be without TLS; `private`: as in `refusal`.

    Raises:
        Problem: 400; it is no URL that a webhook may be sent to. Names are not looked up here.
    """
    if len(url) > MOST_CHARACTERS or _VISIBLE.fullmatch(url) is None:
        raise _refused(
            f"must be at most {MOST_CHARACTERS} visible ASCII characters; write other ones as %XX, "
            "and those of host names as xn--"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("is not a URL") from None
    schemes = ("https", "http") if http else ("https",)
    if parts.scheme not in schemes:
        hint = "" if http else f"; http only where {env_name('webhook_http')} is true"
        raise _refused(f"must begin with {'://, or '.join(schemes)}://{hint}")
    if parts.username is not None or parts.password is not None:
        raise _refused("must not hold a user or a password; check the signature instead")
    host = parts.hostname or ""
    if _HOST.fullmatch(host) is None or port == 0 or "#" in url or "\\" in url:
        raise _refused("must be https://host[:port]/path[?query], without a fragment")
    if (why := _why_not(host, private=private)) is not None:
        raise _refused(f"names an address that {why}")
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    return Target(parts.scheme, host, port or PORTS[parts.scheme], path)


def target_for(url: str, settings: Settings) -> Target:
    """As `target_of`, by the settings."""
    return target_of(
        url,
        http=settings.webhook_http == "true",
        private=settings.webhook_private == "true",
    )


def _why_not(host: str, *, private: bool) -> str | None:
    """Of a host that is an address; names are judged when it is known where they lead."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return refusal(host, private=private)


def _refused(why: str) -> Problem:
    return Problem(400, "bad-webhook", f"Webhook-URL {why}")
