"""Submit to answer on an idle system: one input at a time, each new, with `Prefer: wait`.

A no-op task, one connection, one worker process, one server process; nothing else runs.
"""

from __future__ import annotations

import time

from benchmarks.bench import Bench
from benchmarks.clients.load import Connection, WrongAnswerError, post
from benchmarks.report.figures import Figure, Missing, percentile
from benchmarks.servers.start import settings_for, start_http_server, start_worker
from doneyet.local.managed_process import free_port

QUESTIONS = 500
WARM_UP = 50
ROUNDS = 3
QUEUE_MODES = ("random", "distributed", "ordered")


def run(bench: Bench) -> list[Figure | Missing]:
    """Milliseconds at the median and at the 99th percentile."""
    figures: list[Figure | Missing] = []
    for queue_mode in QUEUE_MODES:
        runs = _latencies_ms(bench, queue_mode)
        for percent in (50, 99):
            found = [percentile(each, percent) for each in runs]
            name = f"doneyet, {queue_mode}, p{percent}"
            figures.append(Figure(name, found, "ms", f"idle p{percent}"))
            bench.say(f"{name}: {figures[-1].value:.2f} ms")  # type: ignore[union-attr]
    return figures


def _latencies_ms(bench: Bench, queue_mode: str) -> list[list[float]]:
    bench.empty()
    settings = settings_for(bench.redis_url, queue_mode, port=free_port())
    server = start_http_server(settings)
    try:
        worker = start_worker(settings)
        try:
            asking = Connection(settings.port)
            _ask(asking, range(-WARM_UP, 0))  # the first one waits for the worker to be there
            runs = []
            for start in range(0, QUESTIONS * ROUNDS, QUESTIONS):
                runs.append(_ask(asking, range(start, start + QUESTIONS)))
                worker.check()
            return runs
        finally:
            worker.stop()
    finally:
        server.stop()


def _ask(asking: Connection, numbers: range) -> list[float]:
    taken_ms = []
    for number in numbers:
        request = post("/noop", {"number": number}, "Prefer: wait=20")
        began_s = time.perf_counter()
        answer = asking.ask(request)
        taken_ms.append((time.perf_counter() - began_s) * 1000)
        if b'"done":true' not in answer:
            raise WrongAnswerError(f"not done: {answer[:300]!r}")
    return taken_ms
