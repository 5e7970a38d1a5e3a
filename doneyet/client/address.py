"""The server's URL: checked, without its password, and the proxy on the way to it."""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import requests.utils


class Address(NamedTuple):
    """Where the server is."""

    url: str
    """Without user and password, and without a slash at its end."""
    login: tuple[str, str] | None
    """The user and password that stood in it."""


def parse_address(url: str) -> Address:
    """The parts of the URL that somebody gave.

    Raises:
        ValueError: it is no URL of a server; never shows a password.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(
            f"the server's URL must begin with http:// or https://, not {without_login(url)!r}"
        )
    refused = (
        "the server's URL has no valid host and port; in a password, write / as %2F and @ as %40"
    )
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        # Not as its cause: it shows a part of the password, where that has a slash.
        raise ValueError(refused) from None
    if not host or "@" in parts.path:  # then the rest of a login stands there
        raise ValueError(refused)
    if parts.query or parts.fragment:
        raise ValueError("the server's URL must end with its path, without ? and #")
    netloc = parts.netloc.rpartition("@")[2]
    login = None
    if "@" in parts.netloc:
        login = (unquote(parts.username or ""), unquote(parts.password or ""))
    return Address(f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}", login)


def without_login(text: str) -> str:
    """`text` with `***` in the place of a user and a password; rather too much than too little."""
    before, at, after = text.rpartition("@")
    if not at:
        return text
    start, separator, _ = before.partition("://")
    return f"{start}://***@{after}" if separator else f"***@{after}"


class Proxy(NamedTuple):
    """A proxy on the way to the server."""

    url: str
    """Without user and password."""
    variable: str
    """The environment variable that names it."""


def proxy_to(url: str) -> Proxy | None:
    """The proxy that requests to `url` go through, as the environment says; None: no proxy."""
    found = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    if not found:
        return None
    scheme = urlsplit(url).scheme
    names = [f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    variable = next((name for name in names if os.environ.get(name)), f"{scheme}_proxy")
    return Proxy(without_login(str(found)), variable)
