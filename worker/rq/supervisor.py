"""`python -m worker --rq`: stock RQ workers, each a process that is started again when it ends."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time

from doneyet.fresh_python import python_command, python_environment
from doneyet.process_tree import MARK, has_ended, held_signals, kill_remains, new_mark
from doneyet.settings import SettingError, Settings
from doneyet.task_types import Registry
from task_manager.errors import UnavailableError
from task_manager.redis.rq import RqManager
from worker.jobs.coordinator import open_coordinator
from worker.redis_outage import Outage
from worker.supervisor.backoff import Backoff
from worker.supervisor.child import EXIT_NOT_LOADED, describe_exit
from worker.supervisor.owner import new_owner

log = logging.getLogger(__name__)

TICK_S = 0.05
LIVED_WELL_S = 10.0


class _Slot:
    """The place of one RQ worker, whoever fills it."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.name = self.mark = ""
        self.started_s = self.start_at_s = 0.0
        self.backoff = Backoff(0.25, 30.0, at_once=True)


class RqSupervisor:
    """Keeps `settings.processes` RQ workers at work, and jobs beside them.

    What a worker held that ended waits again at once. All else is RQ's.

    Raises:
        SettingError: a setting that has no meaning here.
    """

    def __init__(self, settings: Settings, served: Registry) -> None:
        if settings.lock:
            raise SettingError("--lock has no meaning with --rq: RQ's workers take no turns")
        types = served.run_by_processes.types
        self._settings, self._types = settings, list(types)
        self._manager = RqManager(settings.redis_url, types, settings.key_prefix)
        self._coordinator = open_coordinator(settings, served)
        self._slots = [_Slot() for _ in range(settings.processes if types else 0)]
        self._ended: list[tuple[str, bool]] = []
        self._outage = Outage(settings.redis_place, log)
        self._leave_redis_until_s = 0.0
        self._draining_since_s: float | None = None
        self._exit_code = 0

    def run(self) -> int:
        """Works until told to stop, or until a worker cannot load its task types.

        Returns:
            The exit code.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.drain())
        if self._coordinator is not None:
            self._coordinator.start()
        log.info(
            "%d RQ workers serve %s (rq) at %s",
            len(self._slots),
            ", ".join(self._types),
            self._settings.redis_place,
        )
        while self.run_once():
            time.sleep(TICK_S)
        self._manager.close()
        return self._exit_code

    def drain(self) -> None:
        """From now on each worker ends after the job that it runs; called again, at once."""
        if self._draining_since_s is not None:
            self._draining_since_s = float("-inf")
            return
        self._draining_since_s = time.monotonic()
        if self._coordinator is not None:
            self._coordinator.stop()
        for slot in self._slots:
            if slot.process is not None:
                slot.process.terminate()

    def run_once(self) -> bool:
        """One pass over the workers; False when all have ended after `drain`."""
        now_s = time.monotonic()
        for slot in self._slots:
            if slot.process is not None and has_ended(slot.process):
                # Not reaped before: its number, and its group's, might be somebody else's by then.
                kill_remains(slot.process.pid, slot.mark)
                self._on_exit(slot, slot.process, slot.process.wait())
            if slot.process is None and self._draining_since_s is None and now_s >= slot.start_at_s:
                self._start(slot)
        if now_s >= self._leave_redis_until_s:
            try:
                while self._ended:
                    name, counts = self._ended[-1]
                    self._manager.end_worker(name, self._types, counts=counts)
                    self._ended.pop()
                    self._outage.over()
            except UnavailableError as error:
                self._leave_redis_until_s = now_s + self._outage.began(error)
        if self._draining_since_s is None:
            return True
        running = [slot.process for slot in self._slots if slot.process is not None]
        drained_for_s = now_s - self._draining_since_s
        if drained_for_s > self._settings.grace_s:
            for process in running:
                process.kill()
        coordinating = self._coordinator is not None and not self._coordinator.over
        # What the last ones held is to go back, but not for longer than Redis may be away.
        patient = drained_for_s < self._settings.grace_s + self._settings.lease_s
        return bool(running) or ((bool(self._ended) or coordinating) and patient)

    def _start(self, slot: _Slot) -> None:
        slot.name, slot.started_s = new_owner(os.getpid()), time.monotonic()
        slot.mark = new_mark(self._settings.grace_s)
        environ = {**os.environ, **self._settings.to_environment(), MARK: slot.mark}
        with held_signals(signal.SIGINT):
            slot.process = subprocess.Popen(
                python_command("worker.rq.process", slot.name),
                env=python_environment(environ),
                stdin=subprocess.PIPE,  # closes when this process ends, however that happens
                start_new_session=True,  # Ctrl-C must reach the supervisor only, which drains
            )

    def _on_exit(self, slot: _Slot, process: subprocess.Popen[bytes], code: int) -> None:
        assert process.stdin is not None
        process.stdin.close()
        slot.process = None
        draining = self._draining_since_s is not None
        self._ended.append((slot.name, not draining))
        if time.monotonic() - slot.started_s > LIVED_WELL_S:
            slot.backoff.reset()
        slot.start_at_s = time.monotonic() + slot.backoff.next_s()
        if code == EXIT_NOT_LOADED:  # it has said why, in one line
            self._exit_code = 1
            if not draining:
                self.drain()
        elif not draining:
            log.warning("RQ worker %s (process %d) %s", slot.name, process.pid, describe_exit(code))
