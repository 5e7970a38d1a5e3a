"""`python -m worker --ordered`: a supervisor and its RQ worker processes.

The supervisor renews the leases of its processes, kills the one whose task was cancelled or takes
too long, starts dead ones again, and hands what they ran back at once.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from settings import SettingError, Settings
from task_manager.errors import UnavailableError
from task_manager.interface import Limits, Result, State
from task_manager.ordered_executions import Executions, Held
from tasks.execution import failure
from worker.backoff import Backoff
from worker.child import EXIT_NOT_LOADED
from worker.coordinator import open_coordinator
from worker.logs import set_up_logs
from worker.outage import Outage
from worker.owner import new_owner
from worker.rq_time_limit import out_of_time
from worker.served import served_registry

log = logging.getLogger(__name__)

TICK_S = 0.05
RENEW_EVERY_S = 0.5
LOOK_EVERY_S = 1.0
"""How often the tasks of machines that are gone are looked for."""
KILL_AFTER_S = 2.0
"""How much longer than its `timeout_s` a task may take: its process has this long to end it."""


@dataclass
class Child:
    """One worker process, and what the supervisor knows of it."""

    name: str
    process: subprocess.Popen[bytes]
    held: Held | None = None
    held_since: float = 0.0
    stopped: bool = False
    """The supervisor ended it, so that what it ran is not to blame."""
    failed: Result | None = None
    """What becomes of the task that it was killed for."""


@dataclass
class Slot:
    """A place for one worker process; it is filled again after a death."""

    child: Child | None = None
    start_at: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(0.2, 30.0, at_once=True))


class Supervisor:
    """Keeps `settings.processes` worker processes at work."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        served = served_registry(settings)
        self._registry = served.run_by_processes
        self._coordinator = open_coordinator(settings, served)
        self._types: dict[str, Limits] = dict(self._registry.types)
        self._executions = Executions(
            settings.redis_url, self._types, settings.key_prefix, settings.lease_s
        )
        self._slots = [Slot() for _ in range(settings.processes if self._types else 0)]
        self._dead: list[Child] = []
        self._outage = Outage(settings.redis_place, log)
        self._asleep_until = 0.0
        self._renewed_at = self._looked_at = float("-inf")
        self._draining_since: float | None = None
        self._exit_code = 0

    def run(self) -> int:
        """Works until told to stop, or until a process cannot load its task types, and all have
        ended.

        Returns:
            The exit code.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.drain())
        if self._coordinator is not None:
            self._coordinator.start()
        while self.run_once():
            time.sleep(TICK_S)
        self._executions.close()
        return self._exit_code

    def drain(self) -> None:
        """From now on no new tasks: each process ends after the task that it runs."""
        if self._draining_since is None:
            self._draining_since = time.monotonic()
            if self._coordinator is not None:
                self._coordinator.stop()
            for child in self._children():
                child.process.send_signal(signal.SIGTERM)

    def run_once(self) -> bool:
        """One pass over the processes; False when all have ended after `drain`."""
        self._fill_slots()
        self._notice_deaths()
        now = time.monotonic()
        if now >= self._asleep_until:
            try:
                self._speak_to_redis(now)
                self._outage.over()
            except UnavailableError as error:
                self._asleep_until = now + self._outage.began(error)
        if self._draining_since is None:
            return True
        if now - self._draining_since > self._settings.grace_s:
            for child in self._children():
                self._kill(child)
        # What the last ones held is to go back, but not for longer than Redis may be away.
        patient = now - self._draining_since < self._settings.grace_s + self._settings.lease_s
        coordinating = self._coordinator is not None and not self._coordinator.over
        return bool(self._children()) or ((bool(self._dead) or coordinating) and patient)

    def _children(self) -> list[Child]:
        return [slot.child for slot in self._slots if slot.child is not None]

    def _fill_slots(self) -> None:
        for slot in self._slots:
            empty = slot.child is None and time.monotonic() >= slot.start_at
            if empty and self._draining_since is None:
                slot.child = self._start()

    def _start(self) -> Child:
        name = new_owner(os.getpid())
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.rq_process", name],
            env={**os.environ, **self._settings.to_environment()},
            stdin=subprocess.PIPE,  # closes when this process ends, however that happens
            start_new_session=True,  # Ctrl-C must reach the supervisor only, which drains
        )
        return Child(name, process)

    def _notice_deaths(self) -> None:
        for slot in self._slots:
            child = slot.child
            if child is None or (status := child.process.poll()) is None:
                continue
            assert child.process.stdin is not None
            child.process.stdin.close()
            slot.child = None
            self._dead.append(child)
            if child.held is not None:
                slot.backoff.reset()  # it came to work, so it can be started
            slot.start_at = time.monotonic() + slot.backoff.next_s()
            child.stopped = child.stopped or status in (0, EXIT_NOT_LOADED)
            if status == EXIT_NOT_LOADED:  # it has said why, in one line
                self._exit_code = 1
                self.drain()
            if self._draining_since is None:
                log.warning("worker process %d ended with %d", child.process.pid, status)

    def _speak_to_redis(self, now: float) -> None:
        while self._dead:
            child = self._dead[-1]
            if child.failed is not None and child.held is not None:
                self._executions.finish(child.failed, child.held.execution_id, child.name)
            outcome = self._executions.recover_worker(
                child.name, list(self._types), counts=not child.stopped
            )
            self._dead.pop()
            if outcome != "left":
                log.warning("what worker %s ran: %s", child.name, outcome)
        if now - self._renewed_at >= min(RENEW_EVERY_S, self._settings.lease_s / 4):
            self._renewed_at = now
            self._renew(now)
        if now - self._looked_at >= min(LOOK_EVERY_S, self._settings.lease_s / 4):
            self._looked_at = now
            self._executions.recover_lapsed(list(self._types))

    def _renew(self, now: float) -> None:
        children = self._children()
        told = self._executions.renew([child.name for child in children])
        for child, held in zip(children, told, strict=True):
            if held is None or child.held is None or held.execution_id != child.held.execution_id:
                child.held_since = now
            child.held = held
            if held is None:
                continue
            if held.cancelled:
                log.info("task %s was cancelled; its process is stopped", held.task_id)
                self._kill(child)
            elif (limit_s := self._timeout_s(held.type)) is not None and (
                now - child.held_since > limit_s + KILL_AFTER_S
            ):
                log.warning("task %s takes too long; its process is stopped", held.task_id)
                body = failure("timed-out", out_of_time(limit_s)).body
                ttl_s = self._types[held.type].failure_ttl_s or 1.0
                child.failed = Result(held.task_id, held.type, State.FAILED, body, ttl_s)
                self._kill(child)

    def _timeout_s(self, type_name: str) -> float | None:
        return self._registry.types[type_name].timeout_s

    def _kill(self, child: Child) -> None:
        child.stopped = True
        child.process.kill()


def main(settings: Settings) -> int:
    """Runs worker processes until told to stop; the program's exit status.

    Raises:
        SettingError: a setting that has no meaning here.
    """
    if settings.lock:
        raise SettingError("--lock has no meaning with --ordered: RQ's workers take no turns")
    set_up_logs(settings)
    return Supervisor(settings).run()
