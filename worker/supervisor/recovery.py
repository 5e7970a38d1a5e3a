"""Handing back the claims of worker processes that ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from task_manager.errors import UnavailableError
from task_manager.interface import Result, TaskClaimer

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 1.0


@dataclass
class Recovery:
    """What to do for one owner: store `failed`, then end its claims; `running` as in `recover`."""

    owner: str
    running: frozenset[str] | None
    failed: tuple[Result, ...] = ()
    at_s: float = 0.0
    repeated: bool = False


class Recoveries:
    """Recoveries that are still to be made; kept while Redis is away."""

    def __init__(self, manager: TaskClaimer, types: Sequence[str]) -> None:
        self._manager, self._types = manager, types
        self._open: list[Recovery] = []

    def add(self, recovery: Recovery) -> None:
        """Makes `recovery` at the next pass."""
        self._open.append(recovery)

    @property
    def owners(self) -> frozenset[str]:
        """Whom recoveries are open for."""
        return frozenset(recovery.owner for recovery in self._open)

    @property
    def urgent(self) -> bool:
        """Whether one was not made at all yet."""
        return any(not recovery.repeated for recovery in self._open)

    def run_once(self) -> None:
        """Makes those that are due.

        Raises:
            UnavailableError: Redis is away; nothing is forgotten.
        """
        now_s = time.monotonic()
        for recovery in [each for each in self._open if each.at_s <= now_s]:
            try:
                self._make(recovery)
            except UnavailableError:
                raise
            except Exception:  # the other owners' tasks, and all leases, wait behind this one
                log.exception(
                    "the tasks of %s could not be handed back; again soon", recovery.owner
                )
                recovery.at_s = now_s + AGAIN_AFTER_S
                continue
            self._open.remove(recovery)
            if not recovery.repeated:
                # A claim may still have been on its way to Redis when its process died.
                again_s = now_s + AGAIN_AFTER_S
                self.add(Recovery(recovery.owner, frozenset(), at_s=again_s, repeated=True))

    def _make(self, recovery: Recovery) -> None:
        if recovery.failed:
            self._manager.finish(recovery.owner, recovery.failed)
        ended = self._manager.recover(recovery.owner, self._types, recovery.running)
        if ended:
            log.info("%d tasks of %s were handed back", ended, recovery.owner)
