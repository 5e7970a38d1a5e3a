"""Who counts as one client: a key, an IPv4 address, a /64 of IPv6."""

from __future__ import annotations

import pytest

from doneyet.setting_values import SettingError
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


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("2001:db8:1:2:8000::/80=4", "a part of a /64, which is one client"),
        ("10.0.0.7=4,2001:db8:7:7::/96=9", "a part of a /64, which is one client"),
        ("10.0.0.0/8=4,10.0.0.0/8=5", "'10.0.0.0/8' twice"),
        ("2001:db8:7:7::1=4,2001:db8:7:7::2=5", "twice"),
    ],
)
def test_weights_that_would_mean_something_else(weights: str, said: str) -> None:
    """Are refused, at the start."""
    with pytest.raises(SettingError, match=said):
        asker_by(ClientName(Settings()).of, Settings(client_weights=weights))


def test_networks_of_ones_own_may_be_small() -> None:
    """Each address in them is a client."""
    asker = asker_by(ClientName(Settings()).of, Settings(client_weights="fd00::8:0/112=3"))
    weights = [asker({"REMOTE_ADDR": each}).weight for each in ("fd00::8:7", "fd00::9:7")]
    assert weights == [3, 1]
