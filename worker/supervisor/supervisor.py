"""The supervisor of `worker.process` processes: what it watches, hands back and says of each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from doneyet.own_process import describe_exit
from doneyet.settings import Settings
from doneyet.task_types import Registry
from doneyet.task_types.answer import failure
from task_manager.interface import TaskManager
from task_manager.values import Result, result_of
from worker import exit_codes
from worker.device_lock import DeviceLockKeeper
from worker.jobs.coordinator import Coordinator
from worker.status_board import Run
from worker.supervisor.child import Child, Why
from worker.supervisor.leases import Leases
from worker.supervisor.recovery import Recoveries, Recovery
from worker.supervisor.scaling import Scaling, leavers
from worker.supervisor.supervision import Supervision
from worker.supervisor.suspects import Slot, choose_who_takes_suspects
from worker.supervisor.unresponsive import Silence
from worker.supervisor.watchdog import Watchdog, time_limit_s

log = logging.getLogger(__name__)


def _ids(run: Run | None) -> frozenset[str]:
    return run.ids if run is not None else frozenset()


class Supervisor(Supervision[Child, Slot]):
    """Keeps `settings.processes` worker processes serving `registry`; none where that is empty.

    `coordinator` runs jobs meanwhile, where there are any. Where the number of processes is a
    range, `clock` tells the time by which one is chosen from it, s.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        manager: TaskManager,
        coordinator: Coordinator | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        bounds = settings.processes
        self._scaling: Scaling | None = None
        if registry.types and not bounds.is_fixed:
            self._scaling = Scaling(
                bounds, registry.types, lambda names: manager.load(manager.reachable(names)), clock
            )
        first = self._scaling.first if self._scaling is not None else bounds.most
        slots = [Slot() for _ in range(first if registry.types else 0)]
        super().__init__(settings, slots, coordinator)
        self._registry, self._manager = registry, manager
        names = manager.queues(list(registry.types))
        self._most_ids = max((kind.max_batch_size for kind in registry.types.values()), default=1)
        self._recoveries = Recoveries(manager, names)
        self._leases = Leases(
            manager, names, settings.lease_s, self._recoveries, settings.redis_place
        )
        self._watchdog = Watchdog(registry)
        self._silence = Silence(manager, names)
        self._lock_keeper = (
            DeviceLockKeeper(manager, settings.lock, settings.lease_s) if settings.lock else None
        )
        self._all_served = self._is_announced = False

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
        choose_who_takes_suspects(self._staying)
        self._announce()

    def _talk_to_redis(self) -> None:
        cancelled = self._leases.run_once(self.children, stand_in=self._is_to_stand_in)
        self._watchdog.remember_cancelled(cancelled)
        self._recoveries.run_once()  # after the lease of whoever stands in for those that ended
        self._silence.run_once(self.children)
        if self._lock_keeper is not None:
            self._lock_keeper.run_once(self.children)
        if self._scaling is not None and not self._stop_signals:
            self._scale(self._scaling)

    def _scale(self, scaling: Scaling) -> None:
        staying = self._staying
        number = scaling.look(staying)
        if number is None:
            return
        # A process that is about to end has its models in memory until it has. And where one
        # cannot start, more of them would not either.
        room = self._settings.processes.most - len(self._slots)
        if not any(slot.is_failing for slot in staying):
            self._slots += [Slot() for _ in range(min(number - len(staying), room))]
        for slot in leavers(staying, len(staying) - number):
            self._leave(slot)
        if (now := len(self._staying)) != len(staying):
            log.info("%d of at most %d worker processes", now, self._settings.processes.most)

    @property
    def _is_to_stand_in(self) -> bool:
        """Whether no process claims, and one could be started."""
        if self._settings.processes.least > 0 or not self._registry.types:
            return False
        if self._stop_signals:
            return self._leases.stands_in
        staying = self._staying
        if any(slot.child is not None and slot.child.board.ready for slot in staying):
            return False
        return not any(slot.is_failing for slot in staying)

    @property
    def _has_claims_to_return(self) -> bool:
        return self._recoveries.urgent

    def _return_claims(self) -> None:
        self._leases.end_stand_in()
        self._recoveries.run_once()

    def _on_exit(self, slot: Slot, child: Child, code: int) -> None:
        run = child.board.read()
        preparation = child.board.read_preparing()
        if child.serving:
            self._recoveries.add(self._recovery(child, run))
            if self._lock_keeper is not None:
                self._lock_keeper.end(child)
        has_left = slot.is_leaving and code == 0
        if child.killed is None and not self._stop_signals and not has_left:
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
        slot.failed_to_start = child.killed is None and not child.serving
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
        if not self._all_served and self._slots:
            self._all_served = all(slot.child and slot.child.serving for slot in self._slots)
        can_serve = self._all_served or self._leases.stands_in or not self._registry.types
        if self._is_announced or not can_serve:
            return
        if self._coordinator is not None and not self._coordinator.ready:
            return
        self._is_announced = True
        said = []
        if self._registry.types:
            count = self._settings.processes
            processes = "processes serve" if count.most > 1 else "process serves"
            said.append(f"{count} worker {processes} {', '.join(self._registry.types)}")
        if self._coordinator is not None:
            said.append(f"the supervisor serves {', '.join(self._coordinator.names)}")
        place = self._settings.redis_place
        log.info("%s (%s) at %s", "; ".join(said), self._settings.queue_mode, place)
