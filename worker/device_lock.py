"""Taking turns on one device: a lock that workers of several models share, held for a batch."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from task_manager.errors import UnavailableError
from task_manager.interface import TaskClaimer
from worker.supervisor.child import Child

ASK_AGAIN_S = 0.005
PAUSE_S = 0.015
"""Longer than `ASK_AGAIN_S`, so that after each batch somebody else gets the lock who waits."""


def holder(owner: str, run_number: int) -> str:
    """Who holds the lock during one run.

    A name of its own for each run: the supervisor, which renews while a handler keeps the
    interpreter busy, may then be a moment late without taking the lock for a run that is over.
    """
    return f"{owner}/{run_number}"


class DeviceLock:
    """A worker process' side: takes the lock before a batch and lets go after it."""

    def __init__(self, manager: TaskClaimer, name: str, ttl_s: float) -> None:
        self._manager, self._name, self._ttl_s = manager, name, ttl_s
        self._ended_s = 0.0

    def take(self, who: str, give_up: Callable[[], bool]) -> bool:
        """Waits for the lock; False if `give_up` said so first."""
        time.sleep(max(0.0, self._ended_s + PAUSE_S - time.monotonic()))
        while not give_up():
            try:
                if self._manager.take_lock(self._name, who, self._ttl_s):
                    return True
            except UnavailableError:
                time.sleep(0.2)
            time.sleep(ASK_AGAIN_S * random.uniform(0.5, 1.0))
        return False

    def end(self, who: str) -> None:
        """Lets go of the lock; where Redis is away it lapses by itself."""
        self._ended_s = time.monotonic()
        try:
            self._manager.release_lock(self._name, who)
        except UnavailableError:
            return


class DeviceLockKeeper:
    """The supervisor's side: keeps the lock through long batches, and lets go for the dead."""

    def __init__(self, manager: TaskClaimer, name: str, ttl_s: float) -> None:
        self._manager, self._name, self._ttl_s = manager, name, ttl_s
        self._next_s = 0.0

    def run_once(self, children: Collection[Child]) -> None:
        """One pass; renews what has been held for a while, where Redis is there: leases, which come
        first, tell when it is not."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._ttl_s / 4
        with suppress(UnavailableError):
            self._keep(children)

    def _keep(self, children: Collection[Child]) -> None:
        for child in children:
            run = child.board.read()
            if run is None or run.running_for_s() < self._ttl_s / 4:
                continue
            who = holder(child.owner, run.number)
            self._manager.take_lock(self._name, who, self._ttl_s)
            now = child.board.read()
            if now is None or now.number != run.number:  # it ended meanwhile, perhaps before
                self._manager.release_lock(self._name, who)

    def end(self, child: Child) -> None:
        """`child` is dead: lets go of what it held, or was about to take."""
        following = child.board.next_number
        try:
            for number in (following - 1, following):
                self._manager.release_lock(self._name, holder(child.owner, number))
        except UnavailableError:
            return  # it lapses by itself
