"""What a claim costs as the queue grows, from 1,000 to 1,000,000 waiting tasks.

Four queues of different length stand side by side in one server. Eight claims of 64 tasks are made
on one after the other, then given back, and so on in many rounds; the cost is what the server
itself counts for the claiming scripts (`INFO commandstats`), so neither the network nor Python is
in it.
"""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.bench import Bench
from benchmarks.queues.stock import fill, manager_for
from benchmarks.report.figures import TIMES, Figure, Missing, ratios
from benchmarks.servers.start import settings_for
from task_manager.interface import TaskManager

LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
BATCH = 64
CLAIMS = 8
ROUNDS = 40
OWNER = "benchmark:1"
TYPE = "noop"


def run(bench: Bench) -> list[Figure | Missing]:
    """Microseconds per claimed task for each length, and the longest by the shortest."""
    figures: list[Figure | Missing] = []
    for queue_mode in ("random", "distributed", "ordered"):
        costs = _costs_us(bench, queue_mode)
        for length, runs in costs.items():
            name = f"doneyet, {queue_mode}, {length:,} waiting"
            figures.append(Figure(name, runs, "µs/task"))
            bench.say(f"{name}: {figures[-1].value:.2f} µs per claimed task")  # type: ignore[union-attr]
        growth = ratios(costs[LENGTHS[-1]], costs[LENGTHS[0]])
        name = f"doneyet, {queue_mode}, {LENGTHS[-1]:,} / {LENGTHS[0]:,} waiting"
        figures.append(Figure(name, growth, TIMES, "claim cost"))
    return figures


def _costs_us(bench: Bench, queue_mode: str) -> dict[int, list[float]]:
    bench.empty()
    costs: dict[int, list[float]] = {length: [] for length in LENGTHS}
    with ExitStack() as stack:
        managers: dict[int, TaskManager] = {}
        for place, length in enumerate(LENGTHS, 1):
            # Queues of their own: an input database each, or a key prefix each.
            more = {"input_db": place, "key_prefix": f"queue{place}"}
            settings = settings_for(bench.redis_url, queue_mode, **more)
            manager, types = stack.enter_context(manager_for(settings))
            fill(manager, types[TYPE], range(length))
            manager.renew({OWNER: [TYPE]}, 3600.0)
            managers[length] = manager
        for round_number in range(ROUNDS + 1):
            for length, manager in managers.items():
                cost_us = _cost_us(bench, manager)
                if round_number:  # the first one warms up
                    costs[length].append(cost_us)
    bench.empty()
    return costs


def _cost_us(bench: Bench, manager: TaskManager) -> float:
    """Server time per claimed task; the claims are given back."""
    before_us = scripts_us(bench)
    claims = [claim for _ in range(CLAIMS) for claim in manager.claim(OWNER, [TYPE], BATCH)]
    took_us = scripts_us(bench) - before_us
    if len(claims) != CLAIMS * BATCH:
        raise RuntimeError(f"{len(claims)} tasks were claimed instead of {CLAIMS * BATCH}")
    for start in range(0, len(claims), BATCH):
        manager.release(OWNER, claims[start : start + BATCH])
    return took_us / len(claims)


def scripts_us(bench: Bench) -> float:
    """Microseconds that the server has spent in scripts so far."""
    stats = bench.server.info("commandstats")
    return float(stats.get("cmdstat_evalsha", {}).get("usec", 0))
