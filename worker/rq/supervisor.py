"""`python -m worker --rq`: stock RQ workers, each a process that is started again when it ends."""

from __future__ import annotations

import logging
import os
import signal
import subprocess

from doneyet.own_process import OwnProcess, describe_exit
from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import Registry
from task_manager.owners import new_owner
from task_manager.redis.modes.rq import RqManager
from worker import exit_codes
from worker.jobs.coordinator import open_coordinator
from worker.status_board import StatusBoard, make_board_file
from worker.supervisor.supervision import Place, Supervision

log = logging.getLogger(__name__)


class RqProcess(OwnProcess):
    """One RQ worker; its standard input closes when this process ends, however that happens.

    On its board it says no more than why it ends itself.
    """

    def __init__(self, settings: Settings) -> None:
        self.name = new_owner(os.getpid())
        board_fd = make_board_file(0)
        try:
            super().__init__(
                settings,
                "worker.rq.process",
                self.name,
                str(board_fd),
                grace_s=settings.grace_s,
                held=(signal.SIGINT, signal.SIGHUP),
                stdin=subprocess.PIPE,
                pass_fds=(board_fd,),
            )
            self.board = StatusBoard(board_fd)
        finally:
            os.close(board_fd)

    def drain(self) -> None:
        """Lets it end after the job that it runs."""
        self.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Lets go of what an ended process had."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self.board.close()


class RqSupervisor(Supervision[RqProcess, Place[RqProcess]]):
    """Keeps `settings.processes` RQ workers at work, and jobs beside them.

    What a worker held that ended waits again at once. All else is RQ's.

    Raises:
        SettingError: a setting that has no meaning here.
    """

    def __init__(self, settings: Settings, served: Registry) -> None:
        if settings.lock:
            raise SettingError("--lock has no meaning with --rq: RQ's workers share no device lock")
        types = served.run_by_processes.types
        places = [Place[RqProcess]() for _ in range(settings.processes.most if types else 0)]
        super().__init__(settings, places, open_coordinator(settings, served))
        self.farewell_s = settings.lease_s
        self._types = list(types)
        self._manager = RqManager(settings.redis_url, types, settings.key_prefix)
        self._ended: list[tuple[str, bool]] = []

    def run(self) -> int:
        """As in every queue mode."""
        log.info(
            "%d RQ workers serve %s (rq) at %s",
            len(self._slots),
            ", ".join(self._types),
            self._settings.redis_place,
        )
        try:
            return super().run()
        finally:
            self._manager.close()

    def _start(self, slot: Place[RqProcess]) -> RqProcess:
        return RqProcess(self._settings)

    def _let_end(self, child: RqProcess) -> None:
        child.drain()

    def _on_exit(self, slot: Place[RqProcess], child: RqProcess, code: int) -> None:
        cannot_load = child.board.told_end == exit_codes.NOT_LOADED
        child.close()
        draining = self._stop_signals > 0
        self._ended.append((child.name, not draining))
        slot.vacate(started_well=False, at_once=False)
        if draining:
            return
        if cannot_load:  # it has said why, in one line
            self._code_when_drained = 1
            self.stop()
        else:
            what = describe_exit(code)
            log.warning("RQ worker %s (process %d) %s", child.name, child.pid, what)

    def _talk_to_redis(self) -> None:
        self._return_claims()

    @property
    def _has_claims_to_return(self) -> bool:
        return bool(self._ended)

    def _return_claims(self) -> None:
        while self._ended:
            name, counts = self._ended[-1]
            self._manager.end_worker(name, self._types, counts=counts)
            self._ended.pop()
