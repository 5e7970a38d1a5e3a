"""Who asks, and how urgently: what decides whose turn it is."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings
from http_server.middleware.authentication import key_of
from http_server.middleware.client_address import Network, parsed_address
from http_server.middleware.client_name import ClientName, ClientOf, network_of, splits_a_client
from http_server.wire.problem import bad_request
from task_manager.values import MOST_WEIGHT, NOBODY, PRIORITIES, USUAL_PRIORITY, Asker

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


log = logging.getLogger(__name__)

AskerOf = Callable[["WSGIEnvironment"], Asker]


def nobody(settings: Settings) -> AskerOf:
    """For queue modes that make no difference between clients; warns where settings do."""
    in_vain = [
        env_name(each)
        for each in ("client_weights", "client_max_waiting")
        if getattr(settings, each)
    ]
    if in_vain:
        log.warning(
            "%s: without effect, since only the distributed queue mode with the fair pick makes a "
            "difference between clients",
            " and ".join(in_vain),
        )
    return lambda _environ: NOBODY


def asker_from(settings: Settings) -> AskerOf:
    """Tells who asks: by key where there are keys, else by address.

    Raises:
        SettingError: `settings.client_weights` or `settings.trusted_proxies` is junk.
    """
    if settings.keys:
        return asker_by_key(settings)
    return asker_by(ClientName(settings).of, settings)


def asker_by_key(settings: Settings) -> AskerOf:
    """Tells who asks by key: its name is the client, and its line says what the client gets.

    A priority that is more urgent than the key permits becomes the most urgent that it does.
    """

    def asker(environ: WSGIEnvironment) -> Asker:
        key = key_of(environ)
        if key is None:
            return NOBODY
        priority = max(_wished(environ), key.priority)
        return Asker(key.name, priority, key.weight, settings.client_max_waiting)

    return asker


def asker_by(client_of: ClientOf, settings: Settings) -> AskerOf:
    """Tells who asks by address, or network of IPv6.

    Raises:
        SettingError: `settings.client_weights` is no list of weights.
    """
    weight_of = _weights(settings)

    def asker(environ: WSGIEnvironment) -> Asker:
        client = client_of(environ)
        return Asker(client, _wished(environ), weight_of(client), settings.client_max_waiting)

    return asker


def _wished(environ: WSGIEnvironment) -> int:
    """The priority that a request asks for; the usual one where it asks for none."""
    wish = environ.get("HTTP_PRIORITY")
    return USUAL_PRIORITY if wish is None else _priority(wish)


@lru_cache(maxsize=64)
def _priority(wish: str) -> int:
    """The task priority that a `Priority` header names.

    The usual one where it has the parameters of RFC 9218, which browsers send, such as `u=1, i`:
    these are about the order of responses.

    Raises:
        Problem: it is a number that is no priority.
    """
    text = wish.strip()
    if not text.lstrip("+-").isdecimal():
        return USUAL_PRIORITY
    if len(text) > 2 or int(text) not in PRIORITIES:
        raise bad_request(
            f"Priority is a number from {PRIORITIES[0]} (first) to {PRIORITIES[-1]} (last), "
            f"not {text[:20]}"
        )
    return int(text)


def _weights(settings: Settings) -> Callable[[str], int]:
    """Tells the weight of a client: that of the smallest network which it is in; else 1."""
    weights = list[tuple[Network, int]]()
    for each in filter(None, settings.client_weights.split(",")):
        client, _, weight = each.strip().rpartition("=")
        network = _network(client)
        if network is None or not weight.isdecimal() or not 1 <= int(weight) <= MOST_WEIGHT:
            raise SettingError(
                f"{env_name('client_weights')} takes addresses and networks with weights from 1 to "
                f"{MOST_WEIGHT} such as 10.0.0.7=4, not {each.strip()!r}"
            )
        if splits_a_client(network):
            raise SettingError(
                f"{env_name('client_weights')} has {client!r}, a part of a /64, which is one "
                "client: give the weight to the /64"
            )
        if any(network == other for other, _ in weights):
            raise SettingError(f"{env_name('client_weights')} has {client!r} twice")
        weights.append((network, int(weight)))
    weights.sort(key=lambda each: -each[0].prefixlen)

    @lru_cache(maxsize=4096)
    def weight_of(client: str) -> int:
        address = parsed_address(client.partition("/")[0])
        return next((w for network, w in weights if address is not None and address in network), 1)

    return weight_of


def _network(text: str) -> Network | None:
    """A network, or that of an address, as clients are told apart; None where it is neither."""
    try:
        return ipaddress.ip_network(network_of(text), strict=False)
    except ValueError:
        return None
