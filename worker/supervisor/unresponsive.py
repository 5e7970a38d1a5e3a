"""Giving back what a worker process that does not answer holds and has not begun."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence

from task_manager.errors import PartlyUnavailableError
from task_manager.interface import TaskClaimer
from worker.supervisor.child import Child

log = logging.getLogger(__name__)

SILENT_S = 1.0
"""Twice as long as a worker process that is well takes to say so."""
AGAIN_AFTER_S = 1.0
"""A claim may have been on its way when the process fell silent."""


class Silence:
    """Sees to it that a handler which holds the interpreter, or a process that was stopped, keeps
    only what it runs. Other processes give back themselves what they cannot begin soon."""

    def __init__(self, manager: TaskClaimer, types: Sequence[str]) -> None:
        self._manager, self._types = manager, types
        self._next_s: dict[str, float] = {}

    def run_once(self, children: Collection[Child]) -> None:
        """One pass over all of a supervisor's worker processes.

        Raises:
            UnavailableError: Redis is away; the next pass tries again.
        """
        now_s = time.monotonic()
        silent = [child for child in children if _is_silent(child)]
        self._next_s = {child.owner: self._next_s.get(child.owner, 0.0) for child in silent}
        for child in silent:
            if self._next_s[child.owner] <= now_s:
                self._give_back(child)
                self._next_s[child.owner] = now_s + AGAIN_AFTER_S

    def _give_back(self, child: Child) -> None:
        # In this order: what begins is shown on the board before the process looks whether it may.
        child.board.revoke()
        run = child.board.read()
        begun = run.ids if run is not None else frozenset()
        # What may be the reason stays here, where its time is bounded, and harms nobody else.
        if (prepared := child.board.read_preparing()) is not None:
            begun |= prepared.ids
        try:
            count = self._manager.release_unbegun(child.owner, self._types, begun)
        except PartlyUnavailableError:
            return  # those types that are there have theirs back; the others in a second
        if count:
            log.info(
                "worker process %d is silent: %d tasks that it had not begun are given back",
                child.pid,
                count,
            )


def _is_silent(child: Child) -> bool:
    """Not where it only prepares inputs: it is about to run what it holds, or to be ended."""
    if not child.serving or child.board.silent_for_s() <= SILENT_S:
        return False
    return child.board.read() is not None or child.board.read_preparing() is None
