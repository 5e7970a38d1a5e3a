"""What calls cost as the input ttl grows, from a minute to a day, with tasks spread over all of it.

One queue for each ttl stands in one server, and its tasks expire evenly until the ttl is over. The
cost is what the server itself counts for the scripts (`INFO commandstats`), so neither the network
nor Python is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.bench import Bench
from benchmarks.measures.claim_cost import scripts_us
from benchmarks.queues.stock import manager_for, numbered
from benchmarks.report.figures import TIMES, Figure, Missing, ratios
from benchmarks.servers.start import settings_for

TTLS_S = (60, 3_600, 86_400)
TASKS = 20_000
CALLS = 200
ROUNDS = 20
TYPE = "noop"
STEPS = 200  # tasks are submitted in so many groups, each with a ttl of its own


def run(bench: Bench) -> list[Figure | Missing]:
    """Microseconds per call for each ttl, and the longest by the shortest."""
    figures: list[Figure | Missing] = []
    for queue_mode in ("random", "distributed", "ordered"):
        costs = _costs_us(bench, queue_mode)
        for call, by_ttl in costs.items():
            for ttl_s, runs in by_ttl.items():
                name = f"doneyet, {queue_mode}, {call}, tasks spread over {ttl_s:,} s"
                figures.append(Figure(name, runs, "µs"))
                bench.say(f"{name}: {figures[-1].value:.1f} µs")  # type: ignore[union-attr]
            growth = ratios(by_ttl[TTLS_S[-1]], by_ttl[TTLS_S[0]])
            name = f"doneyet, {queue_mode}, {call}, {TTLS_S[-1]:,} s / {TTLS_S[0]:,} s"
            figures.append(Figure(name, growth, TIMES, "ttl cost"))
    return figures


def _costs_us(bench: Bench, queue_mode: str) -> dict[str, dict[int, list[float]]]:
    bench.empty()
    costs: dict[str, dict[int, list[float]]] = {}
    with ExitStack() as stack:
        calls: dict[int, dict[str, Callable[[int], object]]] = {}
        for place, ttl_s in enumerate(TTLS_S, 1):
            more = {"input_db": place, "key_prefix": f"queue{place}", "input_ttl_s": float(ttl_s)}
            settings = settings_for(bench.redis_url, queue_mode, **more)
            manager, types = stack.enter_context(manager_for(settings))
            task_type, share = types[TYPE], TASKS // STEPS
            for step in range(STEPS):
                task_type.input_ttl_s = max(1.0, ttl_s * (step + 1) / STEPS)
                manager.submit(numbered(task_type, range(step * share, (step + 1) * share)))
            known = [numbered(task_type, [-number]) for number in range(1, CALLS + 1)]
            for one in known:
                manager.submit(one)
            calls[ttl_s] = {
                "submit again": lambda n, manager=manager, known=known: manager.submit(known[n]),
                "status": lambda n, manager=manager, known=known: manager.status(
                    TYPE, known[n][0].id
                ),
                "load": lambda _, manager=manager: manager.load([TYPE]),
            }
        for round_number in range(ROUNDS + 1):
            for ttl_s, by_name in calls.items():
                for name, call in by_name.items():
                    before_us = scripts_us(bench)
                    for n in range(CALLS):
                        call(n)
                    cost_us = (scripts_us(bench) - before_us) / CALLS
                    if round_number:  # the first one warms up
                        costs.setdefault(name, {}).setdefault(ttl_s, []).append(cost_us)
    bench.empty()
    return costs
