"""64 clients, each with a new input, from request to answer: HTTP, queue, worker and back.

A client asks for one number after the other, each once it was answered; a no-op task gives the
number back, so what is measured is the way there and back. One server process, one worker process;
they share the cores with Redis and the client program. In each round each contestant is started
afresh and measured in turn, so a ratio compares runs of about the same minute.

doneyet's clients send `Prefer: wait=30`. Then they poll as the seed's client does: 64 clients with
twenty new numbers each ask for all twenty in turn and, until all are done, again after a second.
Clients of peers wait in a request where the peer lets them, else they poll as its line says.

"Processor time" is what a program used for one answer while clients waited. The client program's
limit is what it gets from a bare socket that answers everything alike; the constant is a Flask
route that does nothing, on granian with http_server's own settings.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.bench import Bench
from benchmarks.clients.closed_loop import (
    ANSWER,
    DONE,
    Ask,
    Loop,
    between,
    drive,
    held,
    new_numbers,
    posting,
    wait_ms,
)
from benchmarks.clients.load import WrongAnswerError
from benchmarks.http_peers.catalog import HTTP_PEERS, SEED, SEED_PATH, HttpPeer
from benchmarks.measures.poll import seed_environ, start_constant
from benchmarks.peers.program import environ as peers_environ
from benchmarks.report.figures import TIMES, Figure, Missing, ratios
from benchmarks.servers.processor_time import used_s
from benchmarks.servers.start import ready, settings_for, start, start_http_server, start_worker
from benchmarks.setup import environments
from benchmarks.setup.environments import NotInstalledError
from doneyet.local.managed_process import Part, PartError, free_port

CLIENTS = 64
WARM_UP_S = 1.0
SECONDS = 3.0
ROUNDS = 5
QUICK_SECONDS = 0.5

MAIN = "doneyet, random"
SYNCHRONOUS = "synchronous"
QUEUE_MODES = ("random", "distributed", "ordered", "rq", SYNCHRONOUS)
BARE, CONSTANT = "the client program's limit, a bare socket", "a constant from Flask on granian"
UNIT, POLLED = "answers/s", "polled as the seed's client does"

_FAILURES = (PartError, TimeoutError, WrongAnswerError, OSError)
Programs = tuple[int, list[Part]]
"""The port at which is asked, and what has to be stopped."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """What is asked, and how; `in_sets` makes the requests of the seed's client, if it can ask."""

    label: str
    start: Callable[[], Programs]
    ask: Ask
    in_sets: Callable[[int], bytes] | None = None


@dataclass(slots=True)
class Runs:
    """What was measured of one contestant, round by round."""

    rate: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    in_sets: list[float] = field(default_factory=list)
    processor_ms: dict[str, list[float]] = field(default_factory=dict)


def run(bench: Bench) -> list[Figure | Missing]:
    """Answers per second and waits of each, and the ratios."""
    failures: dict[str, str] = {}
    contestants = [*_limits(bench), *_doneyet(bench), *_peers(bench, failures)]
    runs = {each.label: Runs() for each in contestants}
    numbers = new_numbers()
    for _ in range(1 if bench.quick else ROUNDS):
        for each in contestants:
            if each.label in failures:
                continue
            try:
                _measure(bench, each, numbers, runs[each.label])
            except _FAILURES as error:
                failures[each.label] = str(error)
                bench.say(f"{each.label} failed: {error}")
    return figures_of(runs, failures)


def _measure(bench: Bench, contestant: Contestant, numbers: Iterator[int], runs: Runs) -> None:
    """One round of one contestant."""
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    bench.empty()
    port, parts = contestant.start()
    try:
        drive(port, [contestant.ask(next(numbers))])  # its worker is there then
        used_before_s = _used_s(bench, parts)
        loop = Loop(numbers, WARM_UP_S + seconds)
        drive(port, [loop.one_by_one(contestant.ask) for _ in range(CLIENTS)])
        for name, used in _used_s(bench, parts).items():
            used_ms = (used - used_before_s[name]) * 1000
            runs.processor_ms.setdefault(name, []).append(used_ms / len(loop.answered))
        counted = between(loop.answered, WARM_UP_S, WARM_UP_S + seconds)
        runs.rate.append(len(counted) / seconds)
        runs.p50_ms.append(wait_ms(counted, 50))
        runs.p99_ms.append(wait_ms(counted, 99))
        if contestant.in_sets:
            loop = Loop(numbers, seconds)
            drive(port, [loop.in_sets(contestant.in_sets) for _ in range(CLIENTS)])
            runs.in_sets.append(len(loop.answered) / loop.answered[-1].at_s)
    finally:
        for part in reversed(parts):
            part.stop()
    polled = f", in sets {runs.in_sets[-1]:,.0f}/s" if contestant.in_sets else ""
    bench.say(
        f"{contestant.label}: {runs.rate[-1]:,.0f}/s, p50 {runs.p50_ms[-1]:.1f} ms, "
        f"p99 {runs.p99_ms[-1]:.1f} ms{polled}"
    )


def _used_s(bench: Bench, parts: list[Part]) -> dict[str, float]:
    """Processor time so far, by program."""
    redis = int(bench.server.info("server")["process_id"])
    return {
        **{part.name: used_s(part.pid) for part in parts},
        "Redis": used_s(redis),
        "the client program": time.process_time(),
    }


def figures_of(runs: Mapping[str, Runs], failures: Mapping[str, str]) -> list[Figure | Missing]:
    """All figures, those of a contestant among `failures` missing."""
    figures: list[Figure | Missing] = []
    for label in (BARE, CONSTANT):
        if label in failures:
            figures.append(Missing(label, failures[label]))
        else:
            figures.append(Figure(label, runs[label].rate, UNIT))
    for queue_mode in QUEUE_MODES:
        name = _name(queue_mode)
        if name in failures:
            figures.append(Missing(name, failures[name], _budget(queue_mode)))
        else:
            figures += _figures_of_mode(queue_mode, runs[name])
    if MAIN in failures:
        return figures
    ours = runs[MAIN]
    if CONSTANT not in failures:
        theirs = runs[CONSTANT].rate
        figures.append(Figure(f"{MAIN} / {CONSTANT}", ratios(ours.rate, theirs), TIMES))
    for peer in HTTP_PEERS:
        if peer.label in failures:
            figures.append(Missing(peer.label, failures[peer.label], peer.budget))
        else:
            figures += _figures_of_peer(peer, ours, runs[peer.label])
    return figures


def _name(queue_mode: str) -> str:
    return f"doneyet, {queue_mode}"


def _budget(queue_mode: str) -> str:
    """The others wait for RQ, or run in the server's process."""
    return "end to end" if queue_mode in ("random", "distributed", "ordered") else ""


def _figures_of_mode(queue_mode: str, runs: Runs) -> list[Figure | Missing]:
    name, budget = _name(queue_mode), _budget(queue_mode)
    tails = ratios(runs.p99_ms, runs.p50_ms)
    return [
        Figure(name, runs.rate, UNIT, budget),
        Figure(f"{name}, p50", runs.p50_ms, "ms"),
        Figure(f"{name}, p99", runs.p99_ms, "ms"),
        Figure(f"{name}, p99 / p50", tails, TIMES, budget and "end to end tail"),
        *_polled(name, runs),
        *(
            Figure(f"{name}, processor time of {program}", used, "ms/answer")
            for program, used in runs.processor_ms.items()
        ),
    ]


def _figures_of_peer(peer: HttpPeer, ours: Runs, theirs: Runs) -> list[Figure | Missing]:
    versions = [environments.version_of(peer.environment, package) for package in peer.packages]
    how = " ".join(map(" ".join, zip(peer.packages, versions, strict=True)))
    figures: list[Figure | Missing] = [
        Figure(peer.label, theirs.rate, UNIT, note=f"{how}; {peer.how}"),
        Figure(f"{peer.label}, p50", theirs.p50_ms, "ms"),
        Figure(f"{peer.label}, p99", theirs.p99_ms, "ms"),
        Figure(f"{MAIN} / {peer.label}", ratios(ours.rate, theirs.rate), TIMES, peer.budget),
    ]
    if theirs.in_sets:
        times = ratios(ours.in_sets, theirs.in_sets)
        figures += [
            *_polled(peer.label, theirs),
            Figure(f"{MAIN} / {peer.label}, {POLLED}", times, TIMES),
        ]
    return figures


def _polled(name: str, runs: Runs) -> list[Figure | Missing]:
    return [Figure(f"{name}, {POLLED}", runs.in_sets, UNIT)] if runs.in_sets else []


def _limits(bench: Bench) -> list[Contestant]:
    def bare() -> Programs:
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.servers.bare_server", str(port)]
        return port, [ready(start("the bare server", command, {}), port, "/")]

    def constant() -> Programs:
        port, part = start_constant(bench)
        return port, [part]

    ask = held(posting("/factorize"), DONE)
    return [Contestant(BARE, bare, ask), Contestant(CONSTANT, constant, ask)]


def _doneyet(bench: Bench) -> list[Contestant]:
    def starting(queue_mode: str) -> Callable[[], Programs]:
        def begin() -> Programs:
            settings = settings_for(bench.redis_url, queue_mode, port=free_port())
            parts = [start_http_server(settings)]
            if queue_mode != SYNCHRONOUS:
                parts.append(start_worker(settings))
            return settings.port, parts

        return begin

    ask, in_sets = held(posting("/noop", "Prefer: wait=30"), ANSWER), posting("/noop")
    return [
        # In the synchronous mode no request is answered before its task is done.
        Contestant(_name(mode), starting(mode), ask, None if mode == SYNCHRONOUS else in_sets)
        for mode in QUEUE_MODES
    ]


def _peers(bench: Bench, failures: dict[str, str]) -> list[Contestant]:
    """Those that can be installed; why the others cannot comes to `failures`."""
    contestants = []
    for peer in HTTP_PEERS:
        try:
            python = environments.python_of(peer.environment)
        except NotInstalledError as error:
            failures[peer.label] = str(error)
            continue
        in_sets = posting(SEED_PATH) if peer is SEED else None
        begin = _starting(bench, peer, python)
        contestants.append(Contestant(peer.label, begin, peer.ask, in_sets))
    return contestants


def _starting(bench: Bench, peer: HttpPeer, python: str) -> Callable[[], Programs]:
    environ = {
        **peers_environ(bench.redis_url),
        **seed_environ(bench),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(environments.ROOT / peer.environment / "home"),
    }

    def begin() -> Programs:
        port = free_port()
        parts: list[Part] = []
        try:
            for program in peer.programs:
                arguments = [each.format(port=port, url=bench.redis_url) for each in program]
                name = "its worker" if parts else "its server"
                parts.append(start(f"{peer.label}: {name}", [python, "-m", *arguments], environ))
            ready(parts[0], port, peer.ready)
        except BaseException:
            for part in reversed(parts):
                part.stop()
            raise
        return port, parts

    return begin
