"""What API keys cost: a server that wants one beside a server that wants none.

Both have the finished tasks of one Redis, in the distributed queue mode, and are asked in turn for
as many requests each, by 32 connections (arrays: four). The one gets a key with each request, of a
hundred that it knows; the other no such header. Told is the processor time that the server took for
a request, the least of twelve tries in turn, since whatever else the machine does only adds to it.
A poll of one task whose answer the server remembers is the cheapest request that there is, so no
other loses a larger part to the check.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.clients.load import answers_per_s, post
from benchmarks.queues.finished import finish
from benchmarks.report.figures import TIMES, Figure, Missing, ratios
from benchmarks.servers.processor_time import exactly_used_s, family
from benchmarks.servers.start import settings_for, start_http_server
from doneyet.local.managed_process import Part, free_port
from http_server.keys.key_file import Key, new_secret, sha256_of
from http_server.keys.roles import Role

INPUTS = 1000
NUMBERS = range(408_216, 418_216)
FIRST_A_TRY = 500
ROUNDS, QUICK_ROUNDS = 9, 1
TRIES = 12
KEYS = 100
CONNECTIONS, ARRAY_CONNECTIONS = 32, 4
LONGEST_S = 60.0
DONE = b'"done":true'


class Side(NamedTuple):
    """One of the two servers, and what it gets with each request."""

    processes: Sequence[int]
    port: int
    headers: Sequence[str]


class Kind(NamedTuple):
    """One kind of requests."""

    name: str
    path: str
    connections: int
    bodies: Callable[[int], Sequence[object]]
    """Those of a try, by its number; both sides get the same."""


def run(bench: Bench) -> list[Figure | Missing]:
    """Processor time of a request without and with keys, and the ratio."""
    bench.empty()
    rounds = QUICK_ROUNDS if bench.quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "keys"
        header = f"X-API-Key: {_write_keys(file)}"
        url, mode = bench.redis_url, "distributed"
        plain = settings_for(url, mode, port=free_port())
        keyed = settings_for(url, mode, port=free_port(), keys=str(file))
        finish(plain, "factorization", NUMBERS)
        finish(plain, "noop", range(FIRST_A_TRY * (rounds + 1) * TRIES))
        servers: list[Part] = []
        try:
            servers.append(start_http_server(plain))
            servers.append(start_http_server(keyed))
            without, with_key = (tuple(family(server.pid)) for server in servers)
            sides = Side(without, plain.port, ()), Side(with_key, keyed.port, (header,))
            return [each for kind in _kinds() for each in _compared(bench, kind, sides, rounds)]
        finally:
            for server in servers:
                server.stop()


def _write_keys(file: Path) -> str:
    """One of the keys in it."""
    secrets = [new_secret() for _ in range(KEYS)]
    keys = [Key(f"client-{n}", Role.ASK, sha256_of(each)) for n, each in zip(count(), secrets)]
    file.write_text("".join(f"{key.to_line()}\n" for key in keys))
    file.chmod(0o600)
    return secrets[KEYS // 2]


def _kinds() -> Sequence[Kind]:
    def inputs(numbers: Sequence[int]) -> list[dict[str, int]]:
        return [{"number": number} for number in numbers]

    parts = [NUMBERS[start : start + INPUTS] for start in range(0, len(NUMBERS), INPUTS)]
    known = [inputs(part) for part in parts]
    first = range(FIRST_A_TRY)
    return (
        Kind("one task", "/factorize", CONNECTIONS, lambda _: inputs(NUMBERS[:1]) * 2_000),
        Kind(
            *("each task for the first time", "/noop", CONNECTIONS),
            lambda number: inputs([number * FIRST_A_TRY + each for each in first]),
        ),
        Kind("the same ten arrays", "/factorize", ARRAY_CONNECTIONS, lambda _: known * 3),
        Kind(
            *("new arrays", "/factorize", ARRAY_CONNECTIONS),
            lambda _: [inputs(random.sample(NUMBERS, INPUTS)) for _ in range(10)],
        ),
    )


def _compared(bench: Bench, kind: Kind, sides: Sequence[Side], rounds: int) -> list[Figure]:
    """The same of both sides, each first in turn; the first round warms up."""
    found: dict[Side, list[float]] = {side: [] for side in sides}
    for number in range((rounds + 1) * TRIES):
        bodies = kind.bodies(number)
        for side in sides if number % 2 else reversed(sides):
            found[side].append(_cost_us(kind, side, bodies))
    without, with_keys = (_least(costs_us)[1:] for costs_us in found.values())
    bench.say(f"{kind.name}: {median(without):.1f} µs, with keys {median(with_keys):.1f}")
    return [
        Figure(f"{kind.name}, no keys", without, "µs"),
        Figure(f"{kind.name}, with keys", with_keys, "µs"),
        Figure(f"{kind.name}, with / no keys", ratios(with_keys, without), TIMES, "key check"),
    ]


def _least(costs_us: Sequence[float]) -> list[float]:
    """That of each round."""
    return [min(costs_us[at : at + TRIES]) for at in range(0, len(costs_us), TRIES)]


def _cost_us(kind: Kind, side: Side, bodies: Sequence[object]) -> float:
    """Processor time of the server for one request of `bodies`."""
    made: dict[int, bytes] = {id(body): post(kind.path, body, *side.headers) for body in bodies}
    requests = [made[id(body)] for body in bodies]
    before_s = exactly_used_s(side.processes)
    answers_per_s(side.port, requests, DONE, kind.connections, LONGEST_S, once=True)
    return (exactly_used_s(side.processes) - before_s) / len(requests) * 1e6
