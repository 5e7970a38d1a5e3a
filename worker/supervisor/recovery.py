"""Handing back the claims of worker processes that ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from task_manager.errors import PartlyUnavailableError, UnavailableError
from task_manager.interface import TaskClaimer
from task_manager.values import Result

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 1.0


@dataclass
class Recovery:
    """What to do for one owner: store `failed`, then end its claims; `running` as in `recover`.

    Attributes:
        types: in which types; None: in all.
    """

    owner: str
    running: frozenset[str] | None
    failed: tuple[Result, ...] = ()
    types: frozenset[str] | None = None
    at_s: float = 0.0
    repeated: bool = False


class Recoveries:
    """Recoveries that are still to be made; kept while Redis is away, for each type by itself."""

    def __init__(self, manager: TaskClaimer, types: Sequence[str]) -> None:
        self._manager, self._types = manager, types
        self._open: list[Recovery] = []

    def add(self, recovery: Recovery) -> None:
        """Makes `recovery` at the next pass."""
        self._open.append(recovery)

    def types_of(self, owner: str) -> frozenset[str]:
        """In which types recoveries of this owner are open."""
        return frozenset(
            name
            for recovery in self._open
            if recovery.owner == owner
            for name in self._types_of(recovery)
        )

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
            except PartlyUnavailableError as error:
                made = self._types_of(recovery) - error.reasons.keys()
                recovery.types, recovery.at_s = frozenset(error.reasons), now_s + AGAIN_AFTER_S
                self._repeat(recovery, made, now_s)
                continue
            except UnavailableError:
                if self._types_of(recovery) >= {*self._types}:
                    raise
                recovery.at_s = now_s + AGAIN_AFTER_S  # the other types may be there
                continue
            except Exception:  # the other owners' tasks, and all leases, wait behind this one
                log.exception(
                    "the tasks of %s could not be handed back; again soon", recovery.owner
                )
                recovery.at_s = now_s + AGAIN_AFTER_S
                continue
            self._open.remove(recovery)
            self._repeat(recovery, self._types_of(recovery), now_s)

    def _repeat(self, made: Recovery, types: frozenset[str], now_s: float) -> None:
        """A claim may still have been on its way to Redis when its process died."""
        if not made.repeated:
            at_s = now_s + AGAIN_AFTER_S
            self.add(Recovery(made.owner, frozenset(), types=types, at_s=at_s, repeated=True))

    def _types_of(self, recovery: Recovery) -> frozenset[str]:
        return frozenset(self._types) if recovery.types is None else recovery.types

    def _make(self, recovery: Recovery) -> None:
        """Makes it for those types that are there.

        Raises:
            PartlyUnavailableError: others are not.
            UnavailableError: none is.
        """
        away: dict[str, UnavailableError] = {}
        if recovery.failed:
            try:
                self._manager.finish(recovery.owner, recovery.failed)
            except UnavailableError as error:  # what is not stored must not run again
                away = {
                    self._manager.queue_of(each.type, each.id): error for each in recovery.failed
                }
        types = [name for name in self._types_of(recovery) if name not in away]
        if not types:
            raise next(iter(away.values()))
        try:
            ended = self._manager.recover(recovery.owner, types, recovery.running)
        except PartlyUnavailableError as error:
            away |= error.reasons
        else:
            if ended:
                log.info("%d tasks of %s were handed back", ended, recovery.owner)
        if away:
            raise PartlyUnavailableError(away)
