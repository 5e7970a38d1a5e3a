"""The supervisor: starts worker processes, watches over them, replaces them, drains them.

It runs no handler and blocks on nothing but Redis. Work that is mostly waiting runs in threads of
this process, beside this loop (`worker.jobs.coordinator`).
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Sequence
from types import FrameType

from doneyet.settings import Settings
from doneyet.task_types import Registry
from doneyet.task_types.execution import failure
from task_manager.errors import UnavailableError
from task_manager.interface import Result, State, TaskClaimer
from worker.device_lock import DeviceLockKeeper
from worker.jobs.coordinator import Coordinator
from worker.redis_outage import Outage
from worker.status_board import Run
from worker.supervisor.backoff import Backoff
from worker.supervisor.child import EXIT_BROKEN, EXIT_NOT_LOADED, Child, Why, describe_exit
from worker.supervisor.leases import Leases
from worker.supervisor.recovery import Recoveries, Recovery
from worker.supervisor.unresponsive import Silence
from worker.supervisor.watchdog import Watchdog, time_limit_s

log = logging.getLogger(__name__)

TICK_S = 0.03
FAILED_WAIT_S = 1.0
LIVED_WELL_S = 10.0
"""A worker process that lives this long was started well; the next restart is immediate again."""
BUSY_S = 1.0
"""A process whose batch runs for longer leaves suspects to another one."""
FAREWELL_S = 2.0
"""How long a stopping worker tries to hand claims back where Redis is away."""


class Slot:
    """The place of one worker process, whoever fills it."""

    def __init__(self) -> None:
        self.child: Child | None = None
        self.start_at_s = 0.0
        self.backoff = Backoff(0.25, 30.0, at_once=True)
        self.died_running = False
        """Whether the last process here died while it ran a batch."""
        self.died_of_suspect = False
        """Whether it died while it ran a task that was retried alone, or prepared one."""

    @property
    def is_risky(self) -> bool:
        """Whether a suspect runs here, or a process starts because the last one died of one.

        After the first death of a task the other processes are ready for it; who waited for the
        dead one's successor would wait for as long as a process takes to start.
        """
        if self.child is None or not self.child.serving:
            return self.died_of_suspect
        run = self.child.board.read()
        return run is not None and run.alone

    @property
    def is_free(self) -> bool:
        """Whether its process is there, and has not been busy with one batch for long."""
        if self.child is None or not self.child.serving:
            return False
        run = self.child.board.read()
        return run is None or run.running_for_s() < BUSY_S


def _ids(run: Run | None) -> frozenset[str]:
    return run.ids if run is not None else frozenset()


def choose_who_takes_suspects(slots: Sequence[Slot]) -> None:
    """Half of the processes at most, so that the others can serve whoever is innocent."""
    most = max(1, len(slots) // 2)
    ranked = sorted(slots, key=lambda slot: (not slot.is_risky, not slot.is_free))
    children = [slot.child for slot in ranked if slot.child is not None]
    for place, child in enumerate(children):
        child.board.takes_suspects = place < most


class Supervisor:
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
        self._settings, self._registry, self._manager = settings, registry, manager
        self._coordinator = coordinator
        names = list(registry.types)
        self._most_ids = max((kind.max_batch_size for kind in registry.types.values()), default=1)
        self._slots = [Slot() for _ in range(settings.processes if registry.types else 0)]
        self._recoveries = Recoveries(manager, names)
        self._leases = Leases(manager, names, settings.lease_s, self._recoveries)
        self._watchdog = Watchdog(registry)
        self._silence = Silence(manager, names)
        self._turns = (
            DeviceLockKeeper(manager, settings.lock, settings.lease_s) if settings.lock else None
        )
        self._outage = Outage(settings.redis_place, log)
        self._leave_redis_until_s = 0.0
        self._all_served = False
        self._stop_signals = 0
        self._draining_since_s: float | None = None
        self.exit_code: int | None = None
        """What the program ends with; None while it works."""

    def run(self) -> int:
        """Works until SIGTERM or SIGINT, or until a worker process cannot be started.

        Returns:
            The exit code.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if self._coordinator is not None:
            self._coordinator.start()
        try:
            while self.exit_code is None:
                try:
                    self.run_once()
                except Exception:  # a supervisor that ends would take all its processes along
                    log.exception("a pass of the supervisor failed; it goes on")
                    time.sleep(FAILED_WAIT_S)
                time.sleep(TICK_S)
            return self.exit_code
        finally:
            self._kill_all()

    def run_once(self) -> None:
        """One pass over everything that this process looks after; takes well under a tick."""
        self._reap()
        if self._stop_signals:
            self._drain()
        else:
            self._start_due()
        self._watchdog.run_once(self.children)
        choose_who_takes_suspects(self._slots)
        if time.monotonic() >= self._leave_redis_until_s:
            self._talk_to_redis()
        self._announce()

    def stop(self) -> None:
        """Drains; called again, stops at once."""
        self._stop_signals += 1

    @property
    def children(self) -> list[Child]:
        """The worker processes that there are now."""
        return [slot.child for slot in self._slots if slot.child is not None]

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()

    def _start_due(self) -> None:
        now_s = time.monotonic()
        for slot in self._slots:
            if slot.child is None and now_s >= slot.start_at_s:
                slot.child = Child(self._settings, self._most_ids)
                slot.child.follows_a_death = slot.died_running

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.child is not None and (code := slot.child.exit_code) is not None:
                self._on_exit(slot, slot.child, code)

    def _on_exit(self, slot: Slot, child: Child, code: int) -> None:
        run = child.board.read()
        preparation = child.board.read_preparing()
        if child.serving:
            self._recoveries.add(self._recovery(child, run, code))
            if self._turns is not None:
                self._turns.end(child)
        if child.killed is None and not self._stop_signals:
            doing = f" while it ran {self._watchdog.named(run)}" if run else ""
            if preparation:
                doing += f" while it prepared {self._watchdog.named(preparation)}"
            cannot_load = code == EXIT_NOT_LOADED
            # At its first claim of a type; one that is started anew may find the model again.
            ends = (cannot_load and child.serving) or not (child.serving or self._all_served)
            if ends:
                self.exit_code = 1
            if not (ends and cannot_load):  # which it has said itself, in one line
                log.warning("worker process %d %s%s", child.pid, describe_exit(code), doing)
            if ends and not cannot_load:
                log.error("this worker ends, since not all its processes can serve")
        slot.died_running = run is not None or preparation is not None
        slot.died_of_suspect = (run is not None and run.alone) or preparation is not None
        if child.board.next_number > 1 or time.monotonic() - child.started_s > LIVED_WELL_S:
            slot.backoff.reset()  # it was started well; if anything, what it ran is to blame
        delay_s = 0.0 if child.killed else slot.backoff.next_s()
        slot.start_at_s = time.monotonic() + delay_s
        slot.child = None
        child.close()

    def _recovery(self, child: Child, run: Run | None, code: int) -> Recovery:
        """How the claims of an ended worker process go back.

        What it ran or prepared when it died by itself, or over its time, is suspect and retried
        alone; a task that ran over its time alone has failed. Whatever else it held is innocent.
        """
        prepared = child.board.read_preparing()
        if child.killed is None:
            if code == EXIT_BROKEN:
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
        return Result(task_id, kind.name, State.FAILED, answer.body, kind.failure_ttl_s or 0.0)

    def _talk_to_redis(self) -> None:
        try:
            self._recoveries.run_once()
            self._silence.run_once(self.children)
            self._watchdog.remember_cancelled(self._leases.run_once(self.children))
            if self._turns is not None:
                self._turns.run_once(self.children)
            self._outage.over()
        except UnavailableError as error:
            self._leave_redis_until_s = time.monotonic() + self._outage.began(error)

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

    def _drain(self) -> None:
        """Stops claiming, lets running tasks finish within `grace_s`, hands back the rest."""
        now_s = time.monotonic()
        if self._draining_since_s is None:
            self._draining_since_s = now_s
            log.info("stopping: running tasks have %g s to finish", self._settings.grace_s)
            if self._coordinator is not None:
                self._coordinator.stop()
            for child in self.children:
                if child.serving:
                    child.drain()
                else:
                    child.kill(Why.STOPPING)  # it holds nothing, and may load for minutes
        drained_for_s = now_s - self._draining_since_s
        if self._stop_signals > 1 or drained_for_s > self._settings.grace_s:
            for child in self.children:
                child.kill(Why.STOPPING)
        if self.children or (
            self._coordinator is not None
            and not self._coordinator.over
            and drained_for_s <= self._settings.grace_s
            and self._stop_signals == 1
        ):
            return
        if not self._recoveries.urgent:
            self.exit_code = 0
        elif drained_for_s > self._settings.grace_s + FAREWELL_S or (
            self._stop_signals > 1 and self._leave_redis_until_s
        ):
            log.warning("Redis is away: claims held here come back when their lease is over")
            self.exit_code = 0

    def _kill_all(self) -> None:
        """Leaves no process behind, however the loop ended."""
        for slot in self._slots:
            if (child := slot.child) is not None:
                child.kill(Why.STOPPING)
                self._on_exit(slot, child, child.wait())
        try:
            self._recoveries.run_once()
        except Exception:
            log.warning("Redis is away: claims held here come back when their lease is over")
