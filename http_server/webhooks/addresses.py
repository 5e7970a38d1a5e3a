"""Which IP addresses webhooks may be sent to: an own list, since whoever submits chooses the URL.

Python's `is_global` is a part of it only: it changes between versions, and does not look into IPv6
addresses that stand for IPv4 ones.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from doneyet.setting_values import env_name

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*names: str) -> Sequence[_Network]:
    return [ipaddress.ip_network(name) for name in names]


_NEVER = _networks(
    "0.0.0.0/8",  # this host
    "100.100.100.200/32",  # metadata of a cloud, within what is private
    "168.63.129.16/32",  # metadata of a cloud, though it looks public
    "169.254.0.0/16",  # link-local: metadata of most clouds
    "192.0.0.0/24",  # protocols
    "192.0.2.0/24",  # documentation, as are two below
    "192.88.99.0/24",  # relays of 6to4
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",  # multicast, reserved, broadcast
    "::/128",
    "64:ff9b:1::/48",  # NAT64 of a local network
    "100::/64",  # nowhere
    "2001::/23",  # protocols, Teredo among them
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",  # segment routing
    "fd00:ec2::254/128",  # metadata of clouds, within what is private
    "fd20:ce::254/128",
    "fe80::/10",
    "fec0::/10",  # site-local, which was private once
    "ff00::/8",
)
_PRIVATE = _networks(
    *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    *("::1/128", "fc00::/7"),
)
_HOLDING_IPV4 = (
    # a network of IPv6, and how many bits follow the IPv4 address in it
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)


def refusal(text: str, *, private: bool) -> str | None:
    """Why no webhook may be sent to the address `text`; None where one may.

    `private`: whether private networks are allowed.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "is no IP address"
    if _is_in(address, _NEVER):
        return "is one that webhooks are never sent to"
    if _is_in(address, _PRIVATE):
        return None if private else f"is private, and {env_name('webhook_private')} is not true"
    if isinstance(address, ipaddress.IPv6Address):
        for network, bits_after in _HOLDING_IPV4:
            if address in network:
                held = ipaddress.IPv4Address((int(address) >> bits_after) & 0xFFFFFFFF)
                return refusal(str(held), private=private)
    return None if address.is_global else "is not public"


def _is_in(address: _Address, networks: Sequence[_Network]) -> bool:
    return any(address in network for network in networks)
