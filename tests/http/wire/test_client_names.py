"""Who counts as one client: a key, an IPv4 address, a /64 of IPv6."""

from __future__ import annotations

import pytest

from doneyet.settings import Settings
from http_server.middleware.client_name import ClientName, network_of
from http_server.middleware.rate_limit import RateLimit
from http_server.wire.asker import asker_by


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::1", "::1"),
        ("fd00::1", "fd00::1"),  # many machines of whoever runs the server
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_networks(address: str, name: str) -> None:
    """A network of one's own is many machines, any other /64 may be a single one."""
    assert network_of(address) == name


def test_a_network_has_one_rate() -> None:
    """However many of its addresses are used; another network has another."""
    limit = RateLimit(1.0, ClientName(Settings(trusted_proxies="10.0.0.1")).of)

    def is_let_through(address: str) -> bool:
        environ = {
            "PATH_INFO": "/load",
            "REMOTE_ADDR": "10.0.0.1",
            "HTTP_X_FORWARDED_FOR": address,
        }
        return limit.problem(environ) is None

    assert sum(is_let_through(f"2001:db8::{n:x}") for n in range(20)) == 5
    assert is_let_through("2001:db8:0:1::1")


def test_a_network_has_one_turn() -> None:
    """And the weight of the smallest network that it is in."""
    weights = "2001:db8::/32=3, 2001:db8:7::1=2, 10.0.0.0/8=4, 10.0.0.7=5"
    asker = asker_by(ClientName(Settings()).of, Settings(client_weights=weights))
    expected = {
        "2001:db8:7::2": ("2001:db8:7::/64", 2),
        "2001:db8:8::2": ("2001:db8:8::/64", 3),
        "2001:db9::2": ("2001:db9::/64", 1),
        "10.0.0.8": ("10.0.0.8", 4),
        "10.0.0.7": ("10.0.0.7", 5),
        "": ("", 1),
    }
    for address, (client, weight) in expected.items():
        asked = asker({"REMOTE_ADDR": address})
        assert (asked.client, asked.weight) == (client, weight)
