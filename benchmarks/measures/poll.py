"""Polling finished tasks over HTTP, one server process.

32 connections poll as fast as they are answered, for a few seconds in turn: doneyet (the same task
again and again; 10,000 tasks in turn; tasks that this server has never seen, each once),
the seed's server (Flask on waitress; results and inputs in two databases), and a Flask route that
returns a constant, on granian with http_server's own settings. doneyet keeps the answers of 100,000
tasks in the server process, and trusts each for ten seconds: the first row's comes from there,
its load at most 250 ms old. Rounds are longer than that, so in the second row each task is fetched
from Redis once a round, though its body was read before. In the third one everything is read,
validated and fetched, as it happens once per task and server; it has no budget. The client program
shares the cores with the server and Redis.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial

import redis

from benchmarks.bench import Bench
from benchmarks.clients.load import answers_per_s, post
from benchmarks.queues.finished import finish
from benchmarks.report.figures import TIMES, Figure, Missing, ratios
from benchmarks.servers.start import ready, settings_for, start, start_http_server
from benchmarks.setup import environments
from benchmarks.setup.environments import NotInstalledError
from doneyet.local.managed_process import Part, free_port
from doneyet.settings import Settings

CONNECTIONS = 32
SECONDS = 3.0
WARM_UP_S = 1.0
ROUNDS = 3
NUMBERS = range(408_216, 418_216)
NEW_A_ROUND = 15_000
SEED_INPUT_DB, SEED_OUTPUT_DB = 9, 10
DONE = b'"done":true'

ONE, MANY = "doneyet, one task", f"doneyet, {len(NUMBERS):,} tasks in turn"
FIRST = "doneyet, each task for the first time"
SEED, CONSTANT = "the seed's server, one task", "a constant from Flask on granian"


def run(bench: Bench) -> list[Figure | Missing]:
    """Answers per second of each, and the ratios."""
    bench.empty()
    settings = settings_for(bench.redis_url, "random", port=free_port())
    bodies = finish(settings, "factorization", NUMBERS)
    requests = [post("/factorize", {"number": number}) for number in NUMBERS]
    parts: list[Part] = []
    figures: list[Figure | Missing] = []
    try:
        parts.append(start_http_server(settings))
        constant_port, constant = start_constant(bench)
        parts.append(constant)
        asked = {
            ONE: (settings.port, requests[:1]),
            MANY: (settings.port, requests),
            CONSTANT: (constant_port, requests[:1]),
        }
        try:
            seed_port, seed = start_seed(bench, bodies[0])
            parts.append(seed)
            asked[SEED] = (seed_port, requests[:1])
        except NotInstalledError as error:
            figures.append(Missing(SEED, str(error), "poll by seed"))
        measures = {
            name: partial(answers_per_s, port, asks, DONE, CONNECTIONS)
            for name, (port, asks) in asked.items()
        }
        rates = measure_in_turn(bench, {**measures, FIRST: _FirstTime(settings)})
    finally:
        for part in parts:
            part.stop()
    figures += [Figure(name, runs, "polls/s") for name, runs in rates.items()]
    for ours in (ONE, MANY, FIRST):
        for theirs, budget in ((SEED, "poll by seed"), (CONSTANT, "poll by constant")):
            if theirs in rates:
                name = f"{ours} / {theirs.split(',')[0]}"
                times = ratios(rates[ours], rates[theirs])
                figures.append(Figure(name, times, TIMES, "" if ours is FIRST else budget))
    return figures


def measure_in_turn(
    bench: Bench, measures: dict[str, Callable[[float], float]]
) -> dict[str, list[float]]:
    """Each of `measures` (a rate, measured for so many seconds) warmed up, then `ROUNDS` times."""
    for measure in measures.values():
        measure(WARM_UP_S)
    rates: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(ROUNDS):
        for name, measure in measures.items():
            rates[name].append(measure(SECONDS))
            bench.say(f"{name}: {rates[name][-1]:,.0f}/s")
    return rates


class _FirstTime:
    """Polls of tasks that the server has not heard of, though their results are in Redis."""

    def __init__(self, settings: Settings) -> None:
        self._port = settings.port
        self._numbers = range(NEW_A_ROUND * (ROUNDS + 1))
        finish(settings, "noop", self._numbers)
        self._asked = 0

    def __call__(self, seconds: float) -> float:
        """Answers per second, for so many seconds or until all numbers of a round are through."""
        numbers = self._numbers[self._asked : self._asked + NEW_A_ROUND]
        self._asked += NEW_A_ROUND
        requests = [post("/noop", {"number": number}) for number in numbers]
        return answers_per_s(self._port, requests, DONE, CONNECTIONS, seconds, once=True)


def start_constant(bench: Bench) -> tuple[int, Part]:
    """Where a constant is served, and by what."""
    settings = settings_for(bench.redis_url, "random", port=free_port())
    command = [sys.executable, "-m", "benchmarks.servers.constant_server"]
    part = start("the constant's server", command, settings.to_environment())
    return settings.port, ready(part, settings.port, "/ready")


def start_seed(bench: Bench, body: bytes) -> tuple[int, Part]:
    """Where the seed's server is, which knows the first number's answer, and its process."""
    port = free_port()
    _store_for_seed(bench, body)
    python = environments.python_of(environments.SEED)
    part = start(
        "the seed's server",
        [python, "-m", "benchmarks.servers.seed_server", str(port)],
        seed_environ(bench),
    )
    return port, ready(part, port, "/ready")


def seed_environ(bench: Bench) -> dict[str, str]:
    """Where the seed's programs find their two databases."""
    return {
        "BENCH_SEED_INPUT_URL": bench.database(SEED_INPUT_DB),
        "BENCH_SEED_OUTPUT_URL": bench.database(SEED_OUTPUT_DB),
    }


def _store_for_seed(bench: Bench, body: bytes) -> None:
    """Puts the first number's result where the seed's worker would."""
    answer = json.loads(body)
    key = json.dumps(["factorization", {"number": answer.pop("number")}])
    with redis.Redis.from_url(bench.database(SEED_OUTPUT_DB)) as outputs:
        outputs.set(key, json.dumps(answer))
