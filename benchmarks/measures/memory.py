"""Redis memory per waiting task beyond its payload.

The server's own `used_memory` before and after 100,000 tasks were submitted, by their number, less
the bytes of their inputs. Ids, times and all of Redis' own records count as overhead.
"""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.queues.stock import fill, manager_for, numbered
from benchmarks.report.figures import Figure, Missing
from benchmarks.servers.start import settings_for

TASKS = 100_000
ROUNDS = 3
TYPE = "noop"


def run(bench: Bench) -> list[Figure | Missing]:
    """Bytes per task."""
    figures: list[Figure | Missing] = []
    for queue_mode in ("random", "distributed", "ordered"):
        runs = [_bytes_per_task(bench, queue_mode) for _ in range(ROUNDS)]
        figure = Figure(f"doneyet, {queue_mode}", runs, "bytes", "memory")
        bench.say(f"{figure.name}: {figure.value:.0f} bytes per waiting task")
        figures.append(figure)
    bench.empty()
    return figures


def _bytes_per_task(bench: Bench, queue_mode: str) -> float:
    bench.empty()
    with manager_for(settings_for(bench.redis_url, queue_mode)) as (manager, types):
        manager.load([TYPE])
        fill(manager, types[TYPE], range(-1, 0))  # connections, scripts, shared keys
        before = int(bench.server.info("memory")["used_memory"])
        fill(manager, types[TYPE], range(TASKS))
        after = int(bench.server.info("memory")["used_memory"])
        payload = sum(len(task.input) for task in numbered(types[TYPE], range(TASKS)))
    return (after - before - payload) / TASKS
