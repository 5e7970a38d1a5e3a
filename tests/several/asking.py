"""Clients that ask without a break while servers of Redis come and go."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from typing import Any

import requests

PATIENCE_S = 60.0
"""How long one answer may take: a failover, and then what was lost runs once more."""

ANSWERED, PENDING, AWAY = 200, 202, 503


class Asking:
    """Threads, each of which asks for one number after another: polls, held requests and arrays.

    Attributes:
        answered: how many numbers were.
        longest_s: how long the slowest answer took since this was set to 0.
        statuses: of all replies.
        wrong: what no client should have been told.
    """

    def __init__(self, url: str, *endpoints: str) -> None:
        self._url = url
        self._numbers = itertools.count(1)
        self._over = threading.Event()
        self.answered = 0
        self.longest_s = 0.0
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        wait = {"Prefer": "wait=5"}
        kinds: list[tuple[str, dict[str, str], int]] = [(endpoints[0], wait, 20)]
        for endpoint in endpoints:
            kinds += [(endpoint, {}, 1), (endpoint, wait, 1)]
        self._threads = [
            threading.Thread(target=self._go_on, args=kind, daemon=True) for kind in kinds
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Each gets what it has asked for, and asks for nothing more.

        Raises:
            AssertionError: one does not, or was told what it should not.
        """
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), f"{thread.name} still waits; so far {self.statuses}"
        assert not self.wrong, self.wrong
        assert set(self.statuses) <= {ANSWERED, PENDING, AWAY}, self.statuses

    def _go_on(self, endpoint: str, headers: dict[str, str], count: int) -> None:
        with requests.Session() as session:
            while not self._over.is_set():
                left = [next(self._numbers) for _ in range(count)]
                began_s = time.monotonic()
                while left:
                    left = self._asked(session, endpoint, headers, left)
                self.answered += count
                self.longest_s = max(self.longest_s, time.monotonic() - began_s)

    def _asked(
        self, session: requests.Session, endpoint: str, headers: dict[str, str], left: list[int]
    ) -> list[int]:
        """Asks for these numbers once; those that have no answer yet."""
        body: Any = [{"n": n} for n in left] if len(left) > 1 else {"n": left[0]}
        reply = session.post(f"{self._url}/{endpoint}", json=body, headers=headers, timeout=30)
        self.statuses[reply.status_code] += 1
        if reply.status_code not in (ANSWERED, PENDING):
            if reply.status_code != AWAY:
                self.wrong.append(reply.text)
            self._pause()
            return left
        told = reply.json()
        items = told if isinstance(told, list) else [told]
        for n, item in zip(left, items, strict=True):
            if item.get("done") and item.get("square") != n**2:
                self.wrong.append(f"{n}: {item}")
        pending = [n for n, item in zip(left, items, strict=True) if not item.get("done")]
        if pending:
            self._pause()
        return pending

    def _pause(self) -> None:
        threading.Event().wait(0.05)
