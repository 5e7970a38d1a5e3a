"""Containers, tasks and a clock that are none, looked after by the real `Scaler`.

One event after the other: a task comes, a task ends, a worker is ready, a worker dies, somebody
looks. Nothing here is random; whoever calls says when tasks come.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from autoscaler.compose import Container
from autoscaler.policy import Autoscaler, Policy
from autoscaler.scaler import Load, Scaler

LOOK_EVERY_S = 5.0
"""As `doneyet autoscale` does."""
LEASE_S = 15.0
"""After which the tasks of a dead worker are back: the default of `DONEYET_LEASE_S`."""


@dataclass(frozen=True)
class Model:
    """What is served."""

    run_s: float
    """How long one task takes."""
    load_s: float
    """From a container's start until it can work."""
    slots: int = 1
    """Tasks that one worker runs at a time."""


class Sample(NamedTuple):
    """What a look saw and decided."""

    at_s: float
    waiting: int
    running: int
    ready: int
    """Workers that can work, those that drain not included."""
    there: int
    """With those that are starting."""
    wanted: int
    """How many there are to be."""


class Outcome(NamedTuple):
    """All that a simulation tells."""

    samples: list[Sample]
    waits_s: list[float]
    """How long each answered task waited until it began, the last time."""
    worker_s: float
    """Seconds of all workers, from start to end."""


@dataclass
class _Worker:
    name: str
    started_s: float
    generation: int = 0
    """How often it has died: what was to happen to it before does not happen any more."""
    is_ready: bool = False
    drains: bool = False
    tasks: dict[int, float] = field(default_factory=dict)
    """What it runs: when each came, by its number."""


@dataclass(order=True)
class _Event:
    at_s: float
    order: int
    happen: Callable[[], None] = field(compare=False)


class Simulation:
    """One task type with its containers, as `autoscaler.scaler.Containers` wants them.

    Args:
        model: what is served.
        policy: how many workers there are to be.
        workers: how many there are at the start, all of them ready.
    """

    def __init__(self, model: Model, policy: Policy, workers: int = 1) -> None:
        self.now_s = 0.0
        self._model = model
        self._events: list[_Event] = []
        self._order = self._named = self._tasks = 0
        self._waiting: deque[tuple[float, int]] = deque()  # when each came, and its number
        self._running = 0
        self._workers: dict[str, _Worker] = {}
        self._outcome = Outcome([], [], 0.0)
        self._worker_s = 0.0
        self._scaler = Scaler("model", Autoscaler(policy, model.slots), self, self._load)
        for _ in range(workers):
            self._add().is_ready = True

    def run(
        self, arrivals: Iterable[float], until_s: float, deaths: Sequence[float] = ()
    ) -> Outcome:
        """Lets tasks come at `arrivals`, and the longest-serving worker die at `deaths`, s."""
        for at_s in arrivals:
            self._at(at_s, self._arrive)
        for at_s in deaths:
            self._at(at_s, self._die)
        for look in range(math.ceil(until_s / LOOK_EVERY_S)):
            self._at(look * LOOK_EVERY_S, self._look)
        while self._events and self._events[0].at_s <= until_s:
            event = heapq.heappop(self._events)
            self.now_s = event.at_s
            event.happen()
        self._worker_s += sum(until_s - each.started_s for each in self._workers.values())
        return self._outcome._replace(worker_s=self._worker_s)

    # What the scaler asks for

    def containers(self, service: str) -> list[Container]:
        """Those that do not drain."""
        return [
            Container(each.name, each.name) for each in self._workers.values() if not each.drains
        ]

    def start(self, service: str, number: int) -> None:
        """So many there are to be, which load their model."""
        for _ in range(number - len(self.containers(service))):
            self._begin_to_load(self._add())

    def stop(self, names: Sequence[str]) -> None:
        """Has them end when they have nothing to do any more."""
        for name in names:
            self._workers[name].drains = True
            self._end_if_idle(self._workers[name])

    def _load(self) -> Load:
        ready = {each.name: len(each.tasks) for each in self._workers.values() if each.is_ready}
        return Load(len(self._waiting), self._running, ready)

    # What happens

    def _look(self) -> None:
        change = self._scaler.look(self.now_s)
        there = [each for each in self._workers.values() if not each.drains]
        sample = Sample(
            self.now_s,
            len(self._waiting),
            self._running,
            sum(each.is_ready for each in there),
            len(there),
            change.after,
        )
        self._outcome.samples.append(sample)

    def _arrive(self) -> None:
        self._tasks += 1
        self._waiting.append((self.now_s, self._tasks))
        self._dispatch()

    def _die(self) -> None:
        """What it ran waits again after a lease; its container starts anew."""
        worker = min(
            (each for each in self._workers.values() if each.is_ready),
            key=lambda each: (each.started_s, each.name),
        )
        lost, worker.tasks = worker.tasks, {}
        worker.is_ready = False
        worker.generation += 1
        self._at(self.now_s + LEASE_S, lambda: self._come_back(lost))
        self._begin_to_load(worker)

    def _come_back(self, lost: dict[int, float]) -> None:
        self._running -= len(lost)
        self._waiting.extendleft((came_s, number) for number, came_s in lost.items())
        self._dispatch()

    def _ready(self, worker: _Worker) -> None:
        worker.is_ready = True
        self._dispatch()

    def _dispatch(self) -> None:
        able = [each for each in self._workers.values() if each.is_ready and not each.drains]
        while self._waiting and able:
            worker = min(able, key=lambda each: len(each.tasks))
            if len(worker.tasks) >= self._model.slots:
                return
            came_s, number = self._waiting.popleft()
            self._begin(worker, came_s, number)

    def _begin(self, worker: _Worker, came_s: float, number: int) -> None:
        worker.tasks[number] = came_s
        self._running += 1
        generation, began_s = worker.generation, self.now_s

        def end() -> None:
            if worker.generation == generation:
                del worker.tasks[number]
                self._running -= 1
                self._outcome.waits_s.append(began_s - came_s)
                self._end_if_idle(worker)
                self._dispatch()

        self._at(self.now_s + self._model.run_s, end)

    def _begin_to_load(self, worker: _Worker) -> None:
        generation = worker.generation

        def ready() -> None:
            if worker.generation == generation and worker.name in self._workers:
                self._ready(worker)

        self._at(self.now_s + self._model.load_s, ready)

    def _end_if_idle(self, worker: _Worker) -> None:
        if worker.drains and not worker.tasks and worker.name in self._workers:
            self._worker_s += self.now_s - worker.started_s
            del self._workers[worker.name]

    def _add(self) -> _Worker:
        self._named += 1
        worker = _Worker(f"worker-{self._named:04d}", self.now_s)
        self._workers[worker.name] = worker
        return worker

    def _at(self, at_s: float, happen: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._events, _Event(at_s, self._order, happen))
