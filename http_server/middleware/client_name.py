"""What a client is called where clients are told apart: in rates, turns and bounds."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from doneyet.settings import Settings
from http_server.middleware.authentication import key_of
from http_server.middleware.client_address import ClientAddress, Network, parsed_address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ClientOf = Callable[["WSGIEnvironment"], str]

_PREFIX = 64
"""Bits of an IPv6 address that a network has; the others whoever is in it may choose."""

_OWN = tuple(map(ipaddress.IPv6Network, ("::/64", "fc00::/7", "fe80::/10")))
"""Loopback, and networks of one's own, in each of which are many machines."""


class ClientName:
    """Tells clients apart: the name of the key that a request was let in with, else its network.

    Raises:
        SettingError: `settings.trusted_proxies` has something that is no address or network.
    """

    def __init__(self, settings: Settings) -> None:
        self._address_of = ClientAddress(settings).of

    def of(self, environ: WSGIEnvironment) -> str:
        """The name; empty where there is no key, and the connection has no address."""
        key = key_of(environ)
        return network_of(self._address_of(environ)) if key is None else key.name


def splits_a_client(network: Network) -> bool:
    """Whether a network is only a part of what counts as one client."""
    return (
        isinstance(network, ipaddress.IPv6Network)
        and network.prefixlen > _PREFIX
        and not any(network.subnet_of(each) for each in _OWN)
    )


@lru_cache(maxsize=4096)
def network_of(text: str) -> str:
    """An IPv4 address as it is, of an IPv6 address its /64: a home or a machine has one of these at
    least, and so more addresses than anybody could count."""
    address = parsed_address(text)
    if address is None:
        return text
    if isinstance(address, ipaddress.IPv4Address) or any(address in each for each in _OWN):
        return str(address)
    return str(ipaddress.IPv6Network((int(address), _PREFIX), strict=False))
