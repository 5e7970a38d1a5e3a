"""What supervisors do in every queue mode: start processes, replace them, drain, end.

A supervisor runs no handler and blocks on nothing but Redis. Work that is mostly waiting runs in
threads of its process, beside this loop (`worker.jobs.coordinator`).
"""

from __future__ import annotations

import logging
import signal
import time
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from doneyet.own_process import OwnProcess
from doneyet.settings import Settings
from task_manager.backoff import Backoff
from task_manager.errors import UnavailableError
from worker.jobs.coordinator import Coordinator
from worker.redis_outage import Outage

log = logging.getLogger(__name__)

TICK_S = 0.03
FAILED_WAIT_S = 1.0
LIVED_WELL_S = 10.0
"""A process that lives this long was started well; the next restart is immediate again."""
AWAY = "Redis is away: claims held here come back when their lease is over"

P = TypeVar("P", bound=OwnProcess)


class Place(Generic[P]):
    """The place of one process, whoever fills it."""

    def __init__(self) -> None:
        self.child: P | None = None
        self.start_at_s = 0.0
        self.is_leaving = False
        """Whether nobody follows the process that is here."""
        self.backoff = Backoff(0.25, 30.0, at_once=True)

    def vacate(self, *, started_well: bool, at_once: bool) -> None:
        """Its process has ended; another one starts soon, or `at_once`."""
        child, now_s = self.child, time.monotonic()
        if started_well or (child is not None and now_s - child.started_s > LIVED_WELL_S):
            self.backoff.reset()
        self.start_at_s = now_s + (0.0 if at_once else self.backoff.next_s())
        self.child = None


S = TypeVar("S", bound=Place)  # type: ignore[type-arg]


class Supervision(ABC, Generic[P, S]):
    """Keeps a process in each of `places`; jobs run beside them."""

    farewell_s = 2.0
    """How long a stopping worker tries to hand claims back where Redis is away."""

    def __init__(
        self, settings: Settings, places: list[S], coordinator: Coordinator | None
    ) -> None:
        self._settings, self._slots, self._coordinator = settings, places, coordinator
        self._outage = Outage(settings.redis_place, log)
        self._leave_redis_until_s = 0.0
        self._stop_signals = 0
        self._draining_since_s: float | None = None
        self._code_when_drained = 0
        self.exit_code: int | None = None
        """What the program ends with; None while it works."""

    # What a queue mode defines

    @abstractmethod
    def _start(self, slot: S) -> P:
        """A process for this place."""

    @abstractmethod
    def _let_end(self, child: P) -> None:
        """Lets a process finish what it runs, and end; called once."""

    @abstractmethod
    def _on_exit(self, slot: S, child: P, code: int) -> None:
        """The process of this place has ended: vacates the place, and notes what it held."""

    @abstractmethod
    def _talk_to_redis(self) -> None:
        """One pass over all that needs Redis, as long as it is there.

        Raises:
            UnavailableError: it is away.
        """

    @property
    @abstractmethod
    def _has_claims_to_return(self) -> bool:
        """Whether claims of processes that ended are still to be handed back."""

    def _look_after(self) -> None:
        """One pass over all that needs no Redis."""

    # The loop

    def run(self) -> int:
        """Works until SIGTERM, SIGINT or SIGHUP, or until a process cannot be started.

        Returns:
            The exit code.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # what `nohup` asks for
            signal.signal(signal.SIGHUP, lambda *_: self._hang_up())
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
        for slot in self._slots:
            if slot.child is not None and (code := slot.child.exit_code) is not None:
                self._on_exit(slot, slot.child, code)
        self._slots = [
            slot for slot in self._slots if slot.child is not None or not slot.is_leaving
        ]
        if self._stop_signals:
            self._drain()
        else:
            self._start_due()
        self._look_after()
        if time.monotonic() >= self._leave_redis_until_s:
            try:
                self._talk_to_redis()
                self._outage.over()
            except UnavailableError as error:
                self._leave_redis_until_s = time.monotonic() + self._outage.began(error)

    def stop(self) -> None:
        """Drains; called again, stops at once."""
        self._stop_signals += 1

    def _hang_up(self) -> None:
        """Drains, and never hurries that: a closed terminal sends SIGHUP twice, others after
        SIGTERM."""
        if not self._stop_signals:
            self.stop()

    @property
    def children(self) -> list[P]:
        """The processes that there are now."""
        return [slot.child for slot in self._slots if slot.child is not None]

    @property
    def _staying(self) -> list[S]:
        """The places that are kept filled."""
        return [slot for slot in self._slots if not slot.is_leaving]

    def _leave(self, slot: S) -> None:
        """Lets the process of this place end, and none follow it."""
        slot.is_leaving = True
        if slot.child is not None:
            self._let_end(slot.child)

    def _start_due(self) -> None:
        now_s = time.monotonic()
        for slot in self._staying:
            if slot.child is None and now_s >= slot.start_at_s:
                slot.child = self._start(slot)

    def _drain(self) -> None:
        """Stops claiming, lets running tasks finish within `grace_s`, hands back the rest."""
        now_s = time.monotonic()
        if self._draining_since_s is None:
            self._draining_since_s = now_s
            log.info("stopping: running tasks have %g s to finish", self._settings.grace_s)
            if self._coordinator is not None:
                self._coordinator.stop()
            for child in self.children:
                self._let_end(child)
        drained_for_s = now_s - self._draining_since_s
        is_over_time = self._stop_signals > 1 or drained_for_s > self._settings.grace_s
        if is_over_time:
            for child in self.children:
                child.kill()
        coordinating = self._coordinator is not None and not self._coordinator.over
        if self.children or (coordinating and not is_over_time):
            return
        if not self._has_claims_to_return:
            self.exit_code = self._code_when_drained
        elif drained_for_s > self._settings.grace_s + self.farewell_s or (
            self._stop_signals > 1 and self._leave_redis_until_s
        ):
            log.warning(AWAY)
            self.exit_code = self._code_when_drained

    def _kill_all(self) -> None:
        """Leaves no process behind, however the loop ended."""
        for slot in self._slots:
            if (child := slot.child) is not None:
                child.kill()
                self._on_exit(slot, child, child.wait())
        try:
            self._return_claims()
        except Exception:
            log.warning(AWAY)

    @abstractmethod
    def _return_claims(self) -> None:
        """Hands back the claims of processes that ended.

        Raises:
            UnavailableError: Redis is away.
        """
