"""The workers' half of a task manager, in memory: one owner, with a Redis that can go away."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from task_manager.errors import PartlyUnavailableError, UnavailableError
from task_manager.interface import TaskClaimer
from task_manager.tally import Runs
from task_manager.values import NO_RUNS, Claim, Renewal, Result


class FakeManager(TaskClaimer):
    """Waiting tasks in a list. `calls` tells what was called, with its `limit` and `leave`.

    While `away` every call fails; while types are in `types_away`, what concerns these. With
    `lose_replies` claims are made, and then the call fails; with `lose_prefetches` only those that
    leave tasks to others.
    """

    def __init__(self) -> None:
        self.waiting: list[Claim] = []
        self.held: dict[str, Claim] = {}
        self.results: dict[str, Result] = {}
        self.runs: dict[str, Counter[str]] = {}
        self.reports: dict[str, tuple[str, float, str]] = {}
        self.calls: list[tuple[str, int, int]] = []
        self.away = False
        self.types_away: set[str] = set()
        self.recovered: list[tuple[str, frozenset[str]]] = []
        self.dead: dict[str, frozenset[str]] = {}
        self.lose_replies = self.lose_prefetches = False
        self._changed = threading.Condition()

    def add(self, type_name: str, *ids: str, alone: bool = False) -> None:
        """Tasks begin to wait."""
        with self._changed:
            text = b'{"key":"%s"}'
            self.waiting += [Claim(each, type_name, text % each.encode(), 1, alone) for each in ids]
            self._changed.notify_all()

    def called(self, name: str) -> bool:
        """Whether the method `name` was called."""
        return any(call[0] == name for call in self.calls)

    def claim(
        self,
        owner: str,
        types: Sequence[str],
        limit: int,
        wait_s: float = 0.0,
        leave: int = 0,
        *,
        suspects: bool = True,
        unless: Callable[[], bool] = lambda: False,
    ) -> list[Claim]:
        self._called("claim", limit, leave)
        with self._changed:
            give_up_s = time.monotonic() + wait_s
            while not self._mine(types) and (left_s := give_up_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
                if unless():
                    return []
            claims = self._claim(self._there(types), limit, leave, suspects)
        self._fail_for(types, claims)
        return claims

    def finish(
        self,
        owner: str,
        results: Sequence[Result],
        types: Sequence[str] = (),
        limit: int = 0,
        leave: int = 0,
        *,
        suspects: bool = True,
        runs: Mapping[str, Runs] = NO_RUNS,
    ) -> list[Claim]:
        for name, of_type in runs.items():
            self.runs.setdefault(name, Counter()).update(of_type.events())
        self._called("finish", limit, leave)
        with self._changed:
            for result in results:
                if result.type not in self.types_away:
                    self.held.pop(result.id, None)
                    self.results.setdefault(result.id, result)
            claims = self._claim(self._there(types), limit, leave, suspects)
        self._fail_for({*(types if limit else ()), *(each.type for each in results)}, claims)
        return claims

    def release(self, owner: str, claims: Sequence[Claim]) -> None:
        self._called("release", len(claims))
        with self._changed:
            for claim in claims:
                if self.held.pop(claim.id, None):
                    self.waiting.append(claim)

    def release_unbegun(self, owner: str, types: Sequence[str], begun: Collection[str]) -> int:
        self._called("release_unbegun")
        with self._changed:
            back = [claim for claim in self.held.values() if claim.id not in begun]
            for claim in back:
                self.waiting.append(self.held.pop(claim.id))
            return len(back)

    def renew(self, owners: Mapping[str, Sequence[str]], lease_s: float) -> Renewal:
        self._called("renew")
        types = {name for of_owner in owners.values() for name in of_owner}
        away = {name: UnavailableError("a node is away") for name in types & self.types_away}
        if away and len(away) == len(types):
            raise UnavailableError("a node is away")
        return Renewal(frozenset(), self.dead, {}, away)

    def recover(
        self, owner: str, types: Sequence[str], running: Collection[str] | None = None
    ) -> int:
        self._called("recover")
        self.recovered.append((owner, frozenset(self._there(types))))
        with self._changed:
            ended = [each for each in self.held.values() if each.type in self._there(types)]
            for each in ended:
                del self.held[each.id]
            self.waiting += ended
        self._fail_for(types)
        return len(ended)

    def progress(self, owner: str, reports: Mapping[str, tuple[str, float, str]]) -> None:
        self._called("progress", len(reports))
        self.reports.update(reports)
        self._fail_for({name for name, _, _ in reports.values()})

    def take_lock(self, name: str, owner: str, ttl_s: float) -> bool:
        self._called("take_lock")
        return True

    def release_lock(self, name: str, owner: str) -> None:
        self._called("release_lock")

    def _called(self, name: str, limit: int = 0, leave: int = 0) -> None:
        if self.away:
            raise UnavailableError("Redis is away")
        self.calls.append((name, limit, leave))

    def _there(self, types: Collection[str]) -> list[str]:
        return [name for name in types if name not in self.types_away]

    def _mine(self, types: Collection[str]) -> bool:
        return any(claim.type in self._there(types) for claim in self.waiting)

    def _fail_for(self, types: Collection[str], claims: Sequence[Claim] = ()) -> None:
        reasons = {name: UnavailableError("a node is away") for name in {*types} & self.types_away}
        if reasons and len(reasons) == len({*types}):
            raise UnavailableError("a node is away")
        if reasons:
            raise PartlyUnavailableError(reasons, claims)

    def _claim(self, types: Sequence[str], limit: int, leave: int, suspects: bool) -> list[Claim]:
        mine = [
            claim for claim in self.waiting if claim.type in types and (suspects or not claim.alone)
        ]
        taken = mine[: max(0, min(limit, len(mine) - leave))]
        for claim in taken:
            self.waiting.remove(claim)
            self.held[claim.id] = claim
        if self.lose_replies or (self.lose_prefetches and taken and leave):
            raise UnavailableError("the connection was reset")
        return taken
