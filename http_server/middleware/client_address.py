"""Which client a request is from: the address that it came from, or that a trusted proxy names.

Behind a proxy, every request comes from the proxy, which names the client in `X-Forwarded-For`: the
rightmost address that is no trusted proxy's own. What stands left of it anybody may have written.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")
_MOST_CHARACTERS = 2000  # of a header that anybody may write
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientAddress:
    """Tells clients apart.

    Raises:
        SettingError: `settings.trusted_proxies` has something that is no address or network.
    """

    def __init__(self, settings: Settings) -> None:
        self._trusted = [_proxies(each) for each in settings.trusted_proxies.split(",") if each]

    def of(self, environ: WSGIEnvironment) -> str:
        """The address; empty where the connection has none, as on a Unix socket."""
        address: str = environ.get("REMOTE_ADDR") or ""
        if not self._trusted or not self._is_trusted(address):
            return address
        forwarded: str = environ.get("HTTP_X_FORWARDED_FOR") or ""
        for named in reversed(forwarded[-_MOST_CHARACTERS:].split(",")):
            parsed = parsed_address(_without_port(named.strip()))
            if parsed is None:
                return address
            address = str(parsed)
            if not self._is_trusted(address):
                return address
        return address

    def _is_trusted(self, address: str) -> bool:
        parsed = parsed_address(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def parsed_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None where it is none. IPv4 written as IPv6 is IPv4."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _without_port(text: str) -> str:
    """Some gateways write the client's port behind its address."""
    found = _WITH_PORT.fullmatch(text)
    return text if found is None else found[1] or found[2]


def _proxies(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise SettingError(
            f"{env_name('trusted_proxies')} takes addresses and networks such as 10.0.0.0/8, "
            f"not {text.strip()!r}"
        ) from None
