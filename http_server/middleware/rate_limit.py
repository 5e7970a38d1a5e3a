"""Refuses clients that send too many requests, before these cost anything."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from doneyet.settings import Settings
from http_server.keys.roles import PUBLIC
from http_server.middleware.authentication import key_of
from http_server.middleware.client_address import ClientAddress
from http_server.wire.problem import Problem, rate_limited

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BURST_S = 5.0
"""A client that was quiet may make this many seconds' worth of requests at once."""

MOST_ADDRESSES = 10_000
"""Addresses, or names of keys, remembered at once."""


class RateLimit:
    """The generic cell rate algorithm (ITU-T I.371), one cell stream per client: the name of its
    key where it has one, else its address.

    For each client one time is kept: when its requests so far would have come, had they come
    evenly. A request is too early while that is more than a burst ahead of now.

    Args:
        requests_per_s: of those whose key does not say another rate; 0: no limit for them.
        address_of: tells the address of a request.
    """

    def __init__(
        self,
        requests_per_s: float,
        address_of: Callable[[WSGIEnvironment], str] | None = None,
    ) -> None:
        self._address_of = address_of or ClientAddress(Settings()).of
        self._requests_per_s = requests_per_s
        self._due_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def problem(self, environ: WSGIEnvironment) -> Problem | None:
        """Why this request is refused, if it is."""
        if environ["PATH_INFO"] in PUBLIC:
            return None
        key = key_of(environ)
        client = self._address_of(environ) if key is None else key.name
        rate = self._requests_per_s if key is None or not key.rate else key.rate
        early_s = self.too_early_s(client, time.monotonic(), rate)
        return rate_limited(math.ceil(early_s)) if early_s else None

    def too_early_s(self, client: str, now_s: float, rate: float | None = None) -> float:
        """0 when a request of `client` may be answered now, else in how many seconds it may.

        `rate` is the requests per second that this one may make, where that is not as for others.
        """
        rate = self._requests_per_s if rate is None else rate
        if not rate:
            return 0.0
        interval_s = 1.0 / rate
        with self._lock:
            due_s = max(self._due_s.get(client, now_s), now_s)
            early_s = due_s + interval_s - now_s - max(BURST_S, interval_s)
            if early_s > 1e-9:
                return early_s
            if len(self._due_s) >= MOST_ADDRESSES:
                self._forget(now_s)
            self._due_s[client] = due_s + interval_s
            return 0.0

    def _forget(self, now_s: float) -> None:
        """Makes room: those that may make a whole burst again go, and if need be the half that was
        seen first, so that no number of clients takes more memory or time."""
        kept = [(known, at_s) for known, at_s in self._due_s.items() if at_s > now_s]
        self._due_s = dict(
            kept if len(kept) < MOST_ADDRESSES // 2 else kept[-MOST_ADDRESSES // 2 :]
        )
