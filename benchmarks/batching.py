"""A batching model through HTTP and Redis, saturated, beside the same model called in a loop.

The model is a stand-in without dependencies: about 15 ms of hashing outside of Python's
interpreter lock for a batch of 32, as a transformer computes in its library. Arrays of inputs come
over HTTP while the worker runs; the rate is counted at the queue. What is left to 1 is what HTTP,
Redis and the batcher take from the model, with one core for the model and one for all else.
"""

from __future__ import annotations

import time

from benchmarks.bench import Bench
from benchmarks.drain_clock import looks, tasks_per_s
from benchmarks.drain_tasks import Number
from benchmarks.figures import TIMES, Figure, Missing, ratios
from benchmarks.load import Connection, post
from benchmarks.model_tasks import Model
from benchmarks.parts import settings_for, start_http_server, start_worker
from benchmarks.stock import left, manager_for
from local.part import free_port

TASKS = 8_000
BATCHES_IN_LOOP = 150
MOST_S = 60.0
ROUNDS = 3
INPUTS = 500


def run(bench: Bench) -> list[Figure | Missing]:
    """Inputs per second both ways, and their ratio."""
    loop, through = [], []
    for _ in range(ROUNDS):
        loop.append(_in_a_loop())
        through.append(_through_doneyet(bench))
        bench.say(f"model: {loop[-1]:,.0f}/s in a loop, {through[-1]:,.0f}/s through doneyet")
    return [
        Figure("the model in a loop", loop, "inputs/s"),
        Figure("the model through doneyet", through, "inputs/s"),
        Figure("through doneyet / in a loop", ratios(through, loop), TIMES, "batching"),
    ]


def _in_a_loop() -> float:
    model, size = Model(), Model.max_batch_size
    batch = [Number(number=number) for number in range(size)]
    began_s = time.perf_counter()
    for _ in range(BATCHES_IN_LOOP):
        model.run(batch)
    return BATCHES_IN_LOOP * size / (time.perf_counter() - began_s)


def _through_doneyet(bench: Bench) -> float:
    bench.empty()
    settings = settings_for(
        bench.redis_url, "distributed", port=free_port(), tasks="benchmarks.model_tasks"
    )
    server = start_http_server(settings)
    try:
        with manager_for(settings) as (manager, types):
            asking = Connection(settings.port)
            for start in range(0, TASKS, INPUTS):
                numbers = range(start, start + INPUTS)
                asking.ask(post("/model", [{"number": number} for number in numbers]))
            worker = start_worker(settings)
            try:
                seen = looks(lambda: TASKS - left(manager, types["model"]), worker.check, MOST_S)
                return tasks_per_s(seen, TASKS)
            finally:
                worker.stop()
    finally:
        server.stop()
