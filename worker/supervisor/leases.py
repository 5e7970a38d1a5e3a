"""Keeping the claims of living processes, and finding dead owners elsewhere."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Mapping, Sequence

from task_manager.errors import UnavailableError
from task_manager.interface import TaskClaimer
from task_manager.owners import new_owner
from task_manager.values import Renewal
from worker.redis_outage import Outage
from worker.supervisor.child import Child
from worker.supervisor.recovery import Recoveries, Recovery

log = logging.getLogger(__name__)

EVERY_S = 1.0


class Renewals:
    """Renewals of `lease_s`, and `every_s` how often: soon enough for several tries.

    Others look for dead owners as seldom, so what is asked for is shorter by that: within a lease
    all in all.
    """

    def __init__(self, manager: TaskClaimer, lease_s: float) -> None:
        self._manager, self._lease_s = manager, lease_s
        self.every_s = min(EVERY_S, lease_s / 3)

    def renew(self, owners: Mapping[str, Sequence[str]]) -> Renewal:
        """As `TaskClaimer.renew`."""
        return self._manager.renew(owners, self._lease_s - self.every_s)


class Leases:
    """Renews the leases of a supervisor's worker processes, all in one round trip.

    That happens here and not in the worker processes, so that a handler that never lets go of the
    interpreter keeps its claim.

    A supervisor that could start a process and has none stands in for it: it is an owner then that
    claims nothing, so everybody sees that its types are served, and it hears of dead owners.

    Args:
        manager: where the leases are.
        types: what the processes serve.
        lease_s: as in the settings.
        recoveries: of owners that are found dead.
        place: what to call Redis in the log.
    """

    def __init__(
        self,
        manager: TaskClaimer,
        types: Sequence[str],
        lease_s: float,
        recoveries: Recoveries,
        place: str,
    ) -> None:
        self._types, self._recoveries = types, recoveries
        self._renewals = Renewals(manager, lease_s)
        self._outage = Outage(place, log)
        self._next_s = 0.0
        self._stand_in = ""
        self.stands_in = False
        """Whether the supervisor itself is registered."""

    def run_once(
        self, children: Collection[Child], *, stand_in: bool = False
    ) -> dict[str, frozenset[str]]:
        """One pass: renews if it is time, or if somebody waits to be registered.

        Args:
            children: the processes that there are.
            stand_in: whether the supervisor is to stand in for one.

        Returns:
            The ids of running tasks that were cancelled, by owner.

        Raises:
            UnavailableError: Redis is away; the next pass tries again.
        """
        ready = [child for child in children if child.serving or child.board.ready]
        new = [child for child in ready if not child.serving]
        if not stand_in:
            self.end_stand_in()
        now_s = time.monotonic()
        is_due = now_s >= self._next_s and (ready or stand_in)
        if not (new or is_due or stand_in != self.stands_in):
            return {}
        owners = {child.owner: self._types for child in ready}
        if stand_in:
            # A name that was ended may be ended once more, when a late claim might have come.
            self._stand_in = self._stand_in or new_owner(os.getpid())
            owners[self._stand_in] = self._types
        renewal = self._renewals.renew(owners)
        self._say_what_is_away(renewal)
        self._next_s = now_s + self._renewals.every_s
        self.stands_in = stand_in
        for child in ready:
            if child.serving and child.owner in renewal.lost:
                log.warning("the lease of %s had ended; it goes on", child.owner)
        for child in new:
            child.serve()
        self._recover_dead(renewal, {*owners})
        return {owner: frozenset(ids) for owner, ids in renewal.cancelled.items()}

    def end_stand_in(self) -> None:
        """The supervisor stands in no more, as soon as `recoveries` can say so."""
        if self._stand_in:
            self._recoveries.add(Recovery(self._stand_in, frozenset()))
        self._stand_in, self.stands_in = "", False

    def _say_what_is_away(self, renewal: Renewal) -> None:
        """Claims of these types are kept and renewed again with the next ones."""
        if renewal.away:
            names, reason = ", ".join(sorted(renewal.away)), next(iter(renewal.away.values()))
            self._outage.began(UnavailableError(f"{reason} (for {names})"))
        else:
            self._outage.over()

    def _recover_dead(self, renewal: Renewal, own: set[str]) -> None:
        for owner in renewal.dead.keys() - own:
            # Where a type was away, so were its leases: an owner may be well for the others.
            if types := renewal.dead[owner] - self._recoveries.types_of(owner):
                log.warning("the lease of %s is over; its tasks are handed back", owner)
                # Nobody here saw what it was running, so all its tasks are suspects.
                self._recoveries.add(Recovery(owner, running=None, types=types))
