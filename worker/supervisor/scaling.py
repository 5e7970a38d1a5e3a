"""How many worker processes a supervisor runs where it may choose: `autoscaler.policy` decides.

What it is told is counted in batches, since a process runs one at a time. Only what runs here
counts as running, so a worker whose types others answer gives its memory back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from autoscaler.choice import Worker, to_stop
from autoscaler.policy import Autoscaler, Policy
from doneyet.process_range import Range
from doneyet.task_types.base import TaskType
from task_manager.values import Load
from worker.supervisor.child import Child
from worker.supervisor.suspects import Slot

LOOK_EVERY_S = 1.0
MOST_UNSEEN_S = 5.0
"""Of the time between two looks no more counts: while Redis was away nobody could ask for
anything, which does not mean that nobody wants to."""

WINDOW_S = 5.0
"""The load is averaged over it; shorter than `UP_AFTER_S`, so that a burst is forgotten by then."""
UP_AFTER_S = 10.0
"""One more process is a load of the models on this machine, so less patience is needed than where
a container is started."""

LoadOf = Callable[[Sequence[str]], list[Load]]


class Scaling:
    """Decides from one look to the next how many processes there are to be.

    Args:
        bounds: the fewest and the most processes.
        types: what they serve, by name.
        load: as `TaskSubmitter.load`, of those types that are not away.
        clock: seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        bounds: Range,
        types: Mapping[str, TaskType],
        load: LoadOf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        policy = Policy(
            min_replicas=bounds.least,
            max_replicas=bounds.most,
            window_s=WINDOW_S,
            upscale_stabilization_period_s=UP_AFTER_S,
        )
        self._autoscaler = Autoscaler(policy)
        self._types, self._load, self._clock = types, load, clock
        self.first = policy.first
        """How many to begin with."""
        self._looked_s = clock() - LOOK_EVERY_S
        self._seen_s = 0.0  # as much of the time as counts
        self._next_run: dict[str, int] = {}
        self._loading_s: dict[str, float] = {}
        self.load_time_s = 0.0
        """How long it took lately until a process that was started could run something."""

    def look(self, slots: Sequence[Slot]) -> int | None:
        """How many processes are to fill `slots`, which none is about to leave; None between looks.

        Raises:
            UnavailableError: Redis is away.
        """
        elapsed_s = self._clock() - self._looked_s
        if elapsed_s < LOOK_EVERY_S:
            return None
        waiting = self._waiting()
        self._looked_s += elapsed_s
        self._seen_s += min(elapsed_s, MOST_UNSEEN_S)
        children = [slot.child for slot in slots if slot.child is not None]
        self._measure_loading(children, elapsed_s)
        at_work = self._at_work(children)
        return self._autoscaler.decide(
            self._seen_s, waiting, at_work, len(slots), load_time_s=self.load_time_s
        )

    def _waiting(self) -> int:
        """Batches that wait to be run; what is paused waits for something else."""
        loads = self._load(list(self._types))
        return sum(
            -(-load.waiting // self._types[load.type].max_batch_size)
            for load in loads
            if not load.paused
        )

    def _at_work(self, children: Sequence[Child]) -> int:
        """How many have something to do, or had since the look before: tasks may be quick."""
        before, self._next_run = self._next_run, {}
        count = 0
        for child in children:
            self._next_run[child.owner] = following = child.board.next_number
            count += child.board.held > 0 or following != before.get(child.owner, 1)
        return count

    def _measure_loading(self, children: Sequence[Child], elapsed_s: float) -> None:
        """From a process' start until it runs its first task or has none: it may load its models
        at its first claim."""
        before, self._loading_s = self._loading_s, {}
        for child in children:
            board = child.board
            if not child.serving or (board.held and board.next_number == 1):
                self._loading_s[child.owner] = before.get(child.owner, 0.0) + elapsed_s
            elif child.owner in before:
                self.load_time_s = before[child.owner] + elapsed_s


def leavers(slots: Sequence[Slot], surplus: int) -> list[Slot]:
    """Up to `surplus` of `slots`, whose processes are to go: those that start, then the idle."""
    by_name = {str(place): slot for place, slot in enumerate(slots)}
    workers = [_as_worker(name, slot.child) for name, slot in by_name.items()]
    return [by_name[name] for name in to_stop(workers, surplus)]


def _as_worker(name: str, child: Child | None) -> Worker:
    if child is None:  # about to start
        return Worker(name, is_starting=True, running=0, started_s=float("inf"))
    run = child.board.read()
    running = max(child.board.held, len(run.ids) if run is not None else 0)
    return Worker(name, not child.serving, running, child.started_s)
