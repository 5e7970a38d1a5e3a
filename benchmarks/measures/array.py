"""Polling by array: 1,000 inputs in one request, all finished, one server process.

Four connections poll a thousand out of 10,000 finished tasks, as fast as they are answered: the
same ten arrays in turn, whose bodies the server then knows, and arrays that are new each time,
which it has to read. The answers themselves come from the server's memory in both.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.clients.load import answers_per_s, post
from benchmarks.queues.finished import finish
from benchmarks.report.figures import Figure, Missing
from benchmarks.servers.start import settings_for, start_http_server
from doneyet.local.managed_process import free_port

INPUTS = 1000
NUMBERS = range(408_216, 418_216)
CONNECTIONS = 4
SECONDS = 3.0
WARM_UP_S = 1.0
ROUNDS = 3
MOST_NEW = 1000
DONE = b'"done":true'

KNOWN, NEW = "doneyet, the same ten arrays", "doneyet, new arrays"


def run(bench: Bench) -> list[Figure | Missing]:
    """Statuses per second."""
    bench.empty()
    settings = settings_for(bench.redis_url, "random", port=free_port())
    finish(settings, "factorization", NUMBERS)
    parts = [NUMBERS[start : start + INPUTS] for start in range(0, len(NUMBERS), INPUTS)]
    known = [_request(part) for part in parts]
    runs: dict[str, list[float]] = {KNOWN: [], NEW: []}
    server = start_http_server(settings)
    try:
        _statuses_per_s(settings.port, known, WARM_UP_S)
        for _ in range(ROUNDS):
            runs[KNOWN].append(_statuses_per_s(settings.port, known, SECONDS))
            new = [_request(random.sample(NUMBERS, INPUTS)) for _ in range(MOST_NEW)]
            runs[NEW].append(_statuses_per_s(settings.port, new, SECONDS, once=True))
            bench.say(f"array: {runs[KNOWN][-1]:,.0f} statuses/s, new {runs[NEW][-1]:,.0f}")
    finally:
        server.stop()
    return [Figure(name, found, "statuses/s", "array") for name, found in runs.items()]


def _request(numbers: Sequence[int]) -> bytes:
    return post("/factorize", [{"number": number} for number in numbers])


def _statuses_per_s(
    port: int, requests: Sequence[bytes], seconds: float, *, once: bool = False
) -> float:
    return INPUTS * answers_per_s(port, requests, DONE, CONNECTIONS, seconds, once=once)
