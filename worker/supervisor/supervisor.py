"""The supervisor of `worker.process` processes: what it watches, hands back and says of each."""

from __future__ import annotations

import logging

from doneyet.own_process import describe_exit
from doneyet.settings import Settings
from doneyet.task_types import Registry
from doneyet.task_types.answer import failure
from task_manager.interface import Result, TaskClaimer, result_of
from worker import exit_codes
from worker.device_lock import DeviceLockKeeper
from worker.jobs.coordinator import Coordinator
from worker.status_board import Run
from worker.supervisor.child import Child, Why
from worker.supervisor.leases import Leases
from worker.supervisor.recovery import Recoveries, Recovery
from worker.supervisor.supervision import Supervision
from worker.supervisor.suspects import Slot, choose_who_takes_suspects
from worker.supervisor.unresponsive import Silence
from worker.supervisor.watchdog import Watchdog, time_limit_s

log = logging.getLogger(__name__)


def _ids(run: Run | None) -> frozenset[str]:
    return run.ids if run is not None else frozenset()


class Supervisor(Supervision[Child, Slot]):
    """Keeps `settings.processes` worker processes serving `registry`; none where that is empty.

    `coordinator` runs jobs meanwhile, where there are any.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        manager: TaskClaimer,
        coordinator: Coordinator | None = None,
    ) -> None:
        slots = [Slot() for _ in range(settings.processes if registry.types else 0)]
        super().__init__(settings, slots, coordinator)
        self._registry, self._manager = registry, manager
        names = list(registry.types)
        self._most_ids = max((kind.max_batch_size for kind in registry.types.values()), default=1)
        self._recoveries = Recoveries(manager, names)
        self._leases = Leases(manager, names, settings.lease_s, self._recoveries)
        self._watchdog = Watchdog(registry)
        self._silence = Silence(manager, names)
        self._lock_keeper = (
            DeviceLockKeeper(manager, settings.lock, settings.lease_s) if settings.lock else None
        )
        self._all_served = False

    def _start(self, slot: Slot) -> Child:
        child = Child(self._settings, self._most_ids)
        child.follows_a_death = slot.died_running
        return child

    def _let_end(self, child: Child) -> None:
        if child.serving:
            child.drain()
        else:
            child.kill()  # it holds nothing, and may load for minutes

    def _look_after(self) -> None:
        self._watchdog.run_once(self.children)
        choose_who_takes_suspects(self._slots)
        self._announce()

    def _talk_to_redis(self) -> None:
        self._recoveries.run_once()
        self._silence.run_once(self.children)
        self._watchdog.remember_cancelled(self._leases.run_once(self.children))
        if self._lock_keeper is not None:
            self._lock_keeper.run_once(self.children)

    @property
    def _has_claims_to_return(self) -> bool:
        return self._recoveries.urgent

    def _return_claims(self) -> None:
        self._recoveries.run_once()

    def _on_exit(self, slot: Slot, child: Child, code: int) -> None:
        run = child.board.read()
        preparation = child.board.read_preparing()
        if child.serving:
            self._recoveries.add(self._recovery(child, run))
            if self._lock_keeper is not None:
                self._lock_keeper.end(child)
        if child.killed is None and not self._stop_signals:
            doing = []
            if run:
                doing += [" while it ran ", self._watchdog.named(run)]
            if preparation:
                doing += [" while it prepared ", self._watchdog.named(preparation)]
            cannot_load = child.board.told_end == exit_codes.NOT_LOADED
            # At its first claim of a type; one that is started anew may find the model again.
            ends = (cannot_load and child.serving) or not (child.serving or self._all_served)
            if ends:
                self.exit_code = 1
            if not (ends and cannot_load):  # which it has said itself, in one line
                text = "worker process %d %s" + "%s" * len(doing)
                log.warning(text, child.pid, describe_exit(code), *doing)
            if ends and not cannot_load:
                log.error("this worker ends, since not all its processes can serve")
        slot.died_running = run is not None or preparation is not None
        slot.died_of_suspect = (run is not None and run.alone) or preparation is not None
        # Where it was started well, what it ran is to blame, if anything.
        started_well = child.board.next_number > 1
        slot.vacate(started_well=started_well, at_once=child.killed is not None)
        child.close()

    def _recovery(self, child: Child, run: Run | None) -> Recovery:
        """How the claims of an ended worker process go back.

        What it ran or prepared when it died by itself, or over its time, is suspect and retried
        alone; a task that ran over its time alone has failed. Whatever else it held is innocent.
        """
        prepared = child.board.read_preparing()
        if child.killed is None:
            if child.board.told_end == exit_codes.BROKEN:
                return Recovery(child.owner, None)
            return Recovery(child.owner, _ids(run) | _ids(prepared))
        why, meant = child.killed
        if meant is None or why is not Why.TIMED_OUT or meant not in (run, prepared):
            return Recovery(child.owner, frozenset())
        if len(meant.ids) > 1 or meant == prepared:
            return Recovery(child.owner, meant.ids)
        return Recovery(child.owner, frozenset(), (self._timed_out(meant),))

    def _timed_out(self, run: Run) -> Result:
        kind = self._watchdog.type_of(run)
        assert kind is not None  # only a known type has a limit
        answer = failure("timed-out", f"it ran longer than {time_limit_s(kind):g} s")
        (task_id,) = run.ids
        return result_of(kind, task_id, *answer)

    def _announce(self) -> None:
        if self._all_served or not all(slot.child and slot.child.serving for slot in self._slots):
            return
        if self._coordinator is not None and not self._coordinator.ready:
            return
        self._all_served = True
        said = []
        if count := len(self._slots):
            processes = "processes serve" if count > 1 else "process serves"
            said.append(f"{count} worker {processes} {', '.join(self._registry.types)}")
        if self._coordinator is not None:
            said.append(f"the supervisor serves {', '.join(self._coordinator.names)}")
        place = self._settings.redis_place
        log.info("%s (%s) at %s", "; ".join(said), self._settings.queue_mode, place)
