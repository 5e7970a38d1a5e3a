"""Refuses clients that send too many requests, before these cost anything."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from doneyet.settings import Settings
from http_server.keys.roles import PUBLIC
from http_server.middleware.authentication import key_of
from http_server.middleware.client_name import ClientName, ClientOf
from http_server.wire.problem import Problem, rate_limited
from task_manager.errors import UnavailableError
from task_manager.values import Allowance

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BURST_S = 5.0
"""A client that was quiet may make this many seconds' worth of requests at once."""

MOST_CLIENTS = 10_000
"""Remembered at once."""

GRANT_S = 0.2
"""A server asks for up to this many seconds' worth of a client's requests at once, so that a client
that makes many is not a round trip to Redis each time; for one at first, and for twice as many as
before where these were used within this time."""
GRANT_VALID_S = 1.0
"""What a client has not used of them by then is lost to it."""

ALONE_S = 1.0
"""How long Redis is not asked after it could not be."""

Allow = Callable[[str, float, float, int], Allowance | None]
"""As `TaskSubmitter.allow`."""


class _Granted(NamedTuple):
    """What Redis said of one client, until when on our clock: how many more requests it may make;
    where it granted none, it may make none until then."""

    requests: int
    until_s: float
    of: int
    """How many were granted."""


_NOTHING = _Granted(0, 0.0, 0)


def _wanted(before: _Granted, now_s: float) -> int:
    """How many requests to ask for, by what became of those that were granted before: as many as a
    client makes here in a while, since what it does not use it loses, at all servers."""
    used = max(1, before.of - before.requests)
    is_quick = not before.requests and now_s < before.until_s - GRANT_VALID_S + GRANT_S
    return 2 * used if is_quick else used


class RateLimit:
    """The generic cell rate algorithm (ITU-T I.371), one cell stream per client.

    For each client one time is kept: when its requests so far would have come, had they come
    evenly. A request is too early while that is more than a burst ahead of now. Where `allow`
    counts for all servers together, that time is in Redis; while Redis is away, and where there is
    none, each process counts for itself.

    Args:
        requests_per_s: of those whose key does not say another rate; 0: no limit for them.
        client_of: tells who a request is from.
        allow: asks for requests of a client.
    """

    def __init__(
        self,
        requests_per_s: float,
        client_of: ClientOf | None = None,
        allow: Allow = lambda *_: None,
    ) -> None:
        self._client_of = client_of or ClientName(Settings()).of
        self._requests_per_s = requests_per_s
        self._allow = allow
        self._granted: dict[str, _Granted] = {}
        self._alone_until_s = 0.0
        self._due_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def problem(self, environ: WSGIEnvironment) -> Problem | None:
        """Why this request is refused, if it is."""
        key = key_of(environ)
        rate = self._requests_per_s if key is None or not key.rate else key.rate
        if not rate or environ["PATH_INFO"] in PUBLIC:
            return None
        client = self._client_of(environ)
        early_s = self._too_early_anywhere_s(client, time.monotonic(), rate)
        return rate_limited(math.ceil(early_s)) if early_s else None

    def _too_early_anywhere_s(self, client: str, now_s: float, rate: float) -> float:
        """As `too_early_s`, by what all servers were asked."""
        with self._lock:
            before = self._granted.get(client, _NOTHING)
            if now_s < before.until_s:
                if not before.of:
                    return before.until_s - now_s
                if before.requests:
                    self._granted[client] = before._replace(requests=before.requests - 1)
                    return 0.0
        allowance = None
        if now_s >= self._alone_until_s:
            try:
                most = max(1, int(rate * GRANT_S))
                allowance = self._allow(client, rate, BURST_S, min(_wanted(before, now_s), most))
            except UnavailableError:  # it may have taken seconds to say so
                self._alone_until_s = time.monotonic() + ALONE_S
        if allowance is None:
            return self.too_early_s(client, now_s, rate)
        with self._lock:
            self._note(client, allowance, now_s)
        return 0.0 if allowance.granted else allowance.wait_s

    def _note(self, client: str, allowance: Allowance, now_s: float) -> None:
        """Remembers what is left for the next requests, or that there is nothing."""
        if allowance.granted:
            known = self._granted.get(client, _NOTHING)  # another thread may have asked, too
            left = known.requests if now_s < known.until_s else 0
            requests = left + allowance.granted - 1
            granted = _Granted(requests, now_s + GRANT_VALID_S, allowance.granted)
        else:
            granted = _Granted(0, now_s + allowance.wait_s, 0)
        if len(self._granted) >= MOST_CLIENTS:  # whoever is forgotten asks once more
            self._granted.clear()
        self._granted[client] = granted

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
            if len(self._due_s) >= MOST_CLIENTS:
                self._forget(now_s)
            self._due_s[client] = due_s + interval_s
            return 0.0

    def _forget(self, now_s: float) -> None:
        """Makes room: those that may make a whole burst again go, and if need be the half that was
        seen first, so that no number of clients takes more memory or time."""
        kept = [(known, at_s) for known, at_s in self._due_s.items() if at_s > now_s]
        self._due_s = dict(kept if len(kept) < MOST_CLIENTS // 2 else kept[-MOST_CLIENTS // 2 :])
