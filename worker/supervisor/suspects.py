"""Which worker processes may take suspects: tasks that a process died with, each retried alone.

They may kill the next one, too, so others are to be served meanwhile (`recovery` says what becomes
a suspect, the claims' scripts that each runs alone).
"""

from __future__ import annotations

from collections.abc import Sequence

from worker.supervisor.child import Child
from worker.supervisor.supervision import Place

BUSY_S = 1.0
"""A process whose batch runs for longer leaves suspects to another one."""


class Slot(Place[Child]):
    """The place of one worker process, whoever fills it."""

    def __init__(self) -> None:
        super().__init__()
        self.failed_to_start = False
        """Whether the last process here ended by itself before it served."""
        self.died_running = False
        """Whether the last process here died while it ran a batch."""
        self.died_of_suspect = False
        """Whether it died while it ran a task that was retried alone, or prepared one."""

    @property
    def is_failing(self) -> bool:
        """Whether the last process here could not start, and none has since."""
        return self.failed_to_start and not (self.child is not None and self.child.serving)

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


def choose_who_takes_suspects(slots: Sequence[Slot]) -> None:
    """Half of the processes at most, so that the others can serve whoever is innocent."""
    most = max(1, len(slots) // 2)
    ranked = sorted(slots, key=lambda slot: (not slot.is_risky, not slot.is_free))
    children = [slot.child for slot in ranked if slot.child is not None]
    for place, child in enumerate(children):
        child.board.takes_suspects = place < most
