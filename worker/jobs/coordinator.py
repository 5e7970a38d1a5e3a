"""Running jobs: threads of the supervisor that mostly wait.

Each slot is a thread with an owner of its own that runs one job at a time; one more thread keeps
all of their leases. So a job keeps its claim while its own thread waits for storage. And what a
slot may hold without knowing, after a lost reply, can be given back without harm to others.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence

from doneyet.settings import Settings
from doneyet.task_types import Job, Registry, load_registry
from task_manager import open_for_coordinator, open_submitter
from task_manager.errors import UnavailableError
from task_manager.owners import new_owner
from worker.jobs.completions import ItemCompletions
from worker.jobs.job_thread import Slot
from worker.redis_outage import BESIDE_SUPERVISOR_S, Outage
from worker.supervisor.leases import Renewals

log = logging.getLogger(__name__)

TICK_S = 0.05
CHECKS_AT_ONCE = 2
"""Slots for looking whether answers still hold: somebody waits for it, so no job stands before."""


class Coordinator:
    """Serves `served`, the jobs of this worker.

    Args:
        settings: where Redis is, how many jobs run at once, how long a lease is.
        registry: all task types, since jobs ask any of them.
        served: what is answered here, by name.
    """

    def __init__(self, settings: Settings, registry: Registry, served: dict[str, Job]) -> None:
        checks = _checks(served)
        every = {**served, **checks}
        self.names = list(served)
        self._names = list(every)
        self._manager = open_for_coordinator(settings, every)
        self._renewals = Renewals(self._manager, settings.lease_s)
        self._submitter = open_submitter(settings, registry.types)
        self._completions = ItemCompletions()
        self._outage = Outage(settings.redis_place, log, BESIDE_SUPERVISOR_S)
        self._slots = [
            Slot(
                new_owner(os.getpid()),
                self._manager,
                self._submitter,
                registry=registry,
                served=types,
                completions=self._completions,
                register=self._register,
            )
            for types in [served] * settings.batch_jobs
            + [checks] * (CHECKS_AT_ONCE if checks else 0)
        ]
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="coordinator", daemon=True)
        self.ready = False
        """Whether its slots can claim."""

    def start(self) -> None:
        """Begins to serve as soon as Redis is there."""
        self._completions.start(self._submitter)
        self._keeper.start()

    def stop(self) -> None:
        """Stops jobs at their next step and gives them back; they go on with another worker."""
        self._stopping.set()
        for slot in self._slots:
            slot.stop()

    @property
    def over(self) -> bool:
        """Whether all has ended after `stop`."""
        return self._stopping.is_set() and not self._keeper.is_alive()

    def close(self) -> None:
        """Lets go of connections."""
        self._completions.close()
        self._manager.close()
        self._submitter.close()

    def _keep(self) -> None:
        next_s = 0.0
        while not self._stopping.is_set() or any(slot.alive for slot in self._slots):
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + self._run_once()
            time.sleep(TICK_S)
        self._unregister()

    def _run_once(self) -> float:
        """One renewal of all leases; says how many seconds later the next is due."""
        try:
            self._renew()
            self._outage.over()
        except UnavailableError as error:
            return self._outage.began(error)
        except Exception:
            log.exception("the leases of file-to-file jobs could not be renewed; trying again")
        if not self.ready and not self._stopping.is_set():
            for slot in self._slots:
                slot.start()
            self.ready = True
        return self._renewals.every_s

    def _renew(self) -> None:
        owners = {slot.owner: slot.names for slot in self._slots}
        renewal = self._renewals.renew(owners)
        for slot in self._slots:
            slot.cancel(renewal.cancelled.get(slot.owner, frozenset()))
        for dead, types in renewal.dead.items():
            log.warning("the lease of %s is over; its jobs are handed back", dead)
            self._manager.recover(dead, sorted(types))

    def _register(self, owner: str, types: Sequence[str]) -> None:
        """Lets it claim again after its claims were ended."""
        self._renewals.renew({owner: types})

    def _unregister(self) -> None:
        for slot in self._slots:
            try:
                self._manager.recover(slot.owner, slot.names, running=())
            except UnavailableError:
                return  # the leases lapse by themselves


def _checks(served: dict[str, Job]) -> dict[str, Job]:
    """The types that tell whether answers of `served` still hold."""
    checks = (job.rechecked_by for job in served.values())
    return {check.name: check for check in checks if check is not None}


def open_coordinator(settings: Settings, served: Registry) -> Coordinator | None:
    """The coordinator of a worker that serves `served`; None where none of these types needs one.

    Raises:
        TaskTypeError: a task type is not usable.
    """
    if not served.jobs:
        return None
    return Coordinator(settings, load_registry(settings), served.jobs)
