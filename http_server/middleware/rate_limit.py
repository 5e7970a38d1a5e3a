"""Refuses addresses that send too many requests, before these cost anything."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from doneyet.settings import Settings
from http_server.middleware.client_address import ClientAddress
from http_server.wire.problem import Problem, rate_limited

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BURST_S = 5.0
"""An address that was quiet may make this many seconds' worth of requests at once."""

MOST_ADDRESSES = 10_000
"""Addresses remembered at once."""

NOT_COUNTED = frozenset(
    {"/healthz", "/readyz", "/ping", "/healthcheck", "/metrics", "/metrics/queue"}
)


class RateLimit:
    """The generic cell rate algorithm (ITU-T I.371), one cell stream per address.

    For each address one time is kept: when its requests so far would have come, had they come
    evenly. A request is too early while that is more than a burst ahead of now.
    """

    def __init__(
        self,
        requests_per_s: float,
        address_of: Callable[[WSGIEnvironment], str] | None = None,
    ) -> None:
        self._address_of = address_of or ClientAddress(Settings()).of
        self._interval_s = 1.0 / requests_per_s
        self._burst_s = max(BURST_S, self._interval_s)
        self._due_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def problem(self, environ: WSGIEnvironment) -> Problem | None:
        """Why this request is refused, if it is."""
        if environ["PATH_INFO"] in NOT_COUNTED:
            return None
        early_s = self.too_early_s(self._address_of(environ), time.monotonic())
        return rate_limited(math.ceil(early_s)) if early_s else None

    def too_early_s(self, address: str, now_s: float) -> float:
        """0 when a request from `address` may be answered now, else in how many seconds it may."""
        with self._lock:
            due_s = max(self._due_s.get(address, now_s), now_s)
            early_s = due_s + self._interval_s - now_s - self._burst_s
            if early_s > 1e-9:
                return early_s
            if len(self._due_s) >= MOST_ADDRESSES:
                self._forget(now_s)
            self._due_s[address] = due_s + self._interval_s
            return 0.0

    def _forget(self, now_s: float) -> None:
        """Makes room: those that may make a whole burst again go, and if need be the half that was
        seen first, so that no number of addresses takes more memory or time."""
        kept = [(known, at_s) for known, at_s in self._due_s.items() if at_s > now_s]
        self._due_s = dict(
            kept if len(kept) < MOST_ADDRESSES // 2 else kept[-MOST_ADDRESSES // 2 :]
        )
