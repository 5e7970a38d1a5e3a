"""What a submit and a claim cost as clients grow, from 100 to 10,000, in the fair queue.

Three queues stand side by side in one server, each with 100,000 waiting tasks, of 100, 1,000 and
10,000 clients. In each round 64 new tasks of one of these clients are submitted, 64 new tasks of as
many clients in one round trip, and 64 tasks are claimed and given back. The cost is what the server
itself counts for the scripts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.measures.claim_cost import scripts_us
from benchmarks.queues.stock import CHUNK, manager_for, numbered
from benchmarks.report.figures import TIMES, Figure, Missing, ratios
from benchmarks.servers.start import settings_for
from task_manager.values import Asker, Task

CLIENTS = (100, 1_000, 10_000)
TASKS = 100_000
BATCH = 64
ROUNDS = 40
OWNER = "benchmark:1"
TYPE = "noop"


def run(bench: Bench) -> list[Figure | Missing]:
    """Microseconds per task for each number of clients, and the most by the fewest."""
    bench.empty()
    with ExitStack() as stack:
        queues = [_Queue(bench, stack, count) for count in CLIENTS]
        for round_number in range(ROUNDS + 1):
            for queue in queues:
                queue.measure(kept=round_number > 0)  # the first one warms up
    bench.empty()
    figures: list[Figure | Missing] = []
    for what in queues[0].costs_us:
        for queue in queues:
            name = f"{what}, {queue.count:,} clients"
            figures.append(Figure(name, queue.costs_us[what], "µs/task"))
        growth = ratios(queues[-1].costs_us[what], queues[0].costs_us[what])
        name = f"{what}, {CLIENTS[-1]:,} / {CLIENTS[0]:,} clients"
        figures.append(Figure(name, growth, TIMES, "claim cost"))
        bench.say(f"{name}: {figures[-1].value:.2f}")  # type: ignore[union-attr]
    return figures


class _Queue:
    """One of the three, full of tasks."""

    def __init__(self, bench: Bench, stack: ExitStack, count: int) -> None:
        self.count = count
        self.costs_us: dict[str, list[float]] = defaultdict(list)
        self._bench = bench
        settings = settings_for(bench.redis_url, "distributed", key_prefix=f"of{count}")
        self._manager, types = stack.enter_context(manager_for(settings))
        self._manager.renew({OWNER: [TYPE]}, 3600.0)
        self._next = 0
        self._kind = types[TYPE]
        for _ in range(0, TASKS, CHUNK):
            self._manager.submit(self._new(CHUNK, clients=CHUNK))

    def measure(self, *, kept: bool) -> None:
        """One round."""
        one, many = self._new(BATCH, clients=1), self._new(BATCH, clients=BATCH)
        claims = []
        calls: dict[str, Callable[[], object]] = {
            "submit of one client": lambda: self._manager.submit(one),
            f"submit of {BATCH} clients": lambda: self._manager.submit(many),
            "claim": lambda: claims.extend(self._manager.claim(OWNER, [TYPE], BATCH)),
        }
        for what, call in calls.items():
            before_us = scripts_us(self._bench)
            call()
            if kept:
                self.costs_us[what].append((scripts_us(self._bench) - before_us) / BATCH)
        if len(claims) != BATCH:
            raise RuntimeError(f"{len(claims)} tasks were claimed instead of {BATCH}")
        self._manager.release(OWNER, claims)

    def _new(self, tasks: int, clients: int) -> list[Task]:
        """New tasks, of as many clients in turn, as far as the queue has so many."""
        first = self._next
        self._next += tasks
        return [
            replace(task, asker=Asker(f"client {(first + at % clients) % self.count}"))
            for at, task in enumerate(numbered(self._kind, range(first, first + tasks)))
        ]
