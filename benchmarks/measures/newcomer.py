"""Ten tasks of 1 ms of a new client, behind many thousands of another one.

From the submit of the ten until all of them are done, with one worker process in the distributed
queue mode. `fair` is its usual pick. `oldest` is what a queue without it does; behind 20,000 only,
since it takes as long as these do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.queues.stock import CHUNK, manager_for, numbered
from benchmarks.report.figures import Figure, Missing
from benchmarks.servers.start import settings_for, start_worker, wait_for
from doneyet.task_types import TaskType
from task_manager.interface import TaskManager
from task_manager.values import Asker, State, Status, Task

BEHIND = 20_000
BEHIND_MANY = 1_000_000
ROUNDS = 3
TYPE = "brief"


def run(bench: Bench) -> list[Figure | Missing]:
    """Seconds until the last of ten."""
    figures: list[Figure | Missing] = []
    for pick, behind, budget in (
        ("fair", BEHIND, "newcomer"),
        ("fair", BEHIND_MANY, "newcomer"),
        ("oldest", BEHIND, ""),
    ):
        rounds = 1 if pick == "oldest" or behind == BEHIND_MANY else ROUNDS
        runs = [_seconds(bench, pick, behind) for _ in range(rounds)]
        figure = Figure(f"{pick}, behind {behind:,}", runs, "s", budget)
        bench.say(f"{figure.name}: {figure.value:.2f} s")
        figures.append(figure)
    bench.empty()
    return figures


def _seconds(bench: Bench, pick: str, behind: int) -> float:
    bench.empty()
    settings = settings_for(
        bench.redis_url, "distributed", pick=pick, tasks="benchmarks.queues.drain_tasks"
    )
    worker = start_worker(settings)
    try:
        with manager_for(settings) as (manager, types):
            kind = types[TYPE]
            wait_for(lambda: manager.load([TYPE])[0].workers > 0, worker, "the worker serves")
            for first in range(0, behind, CHUNK):
                manager.submit(_of("busy", kind, range(first, first + CHUNK)))
            ours = _of("new", kind, range(behind, behind + 10))
            began_s = time.monotonic()
            wait_for(
                lambda: _all_done(manager, ours),
                worker,
                "all are done",
                timeout_s=300,
                every_s=0.005,
            )
            return time.monotonic() - began_s
    finally:
        worker.stop()


def _of(client: str, kind: TaskType, numbers: range) -> list[Task]:
    asker = Asker(client)
    return [replace(task, asker=asker) for task in numbered(kind, numbers)]


def _all_done(manager: TaskManager, tasks: Sequence[Task]) -> bool:
    return all(
        isinstance(each, Status) and each.state is State.DONE for each in manager.submit(tasks)
    )
