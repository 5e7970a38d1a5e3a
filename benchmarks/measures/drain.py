"""One worker process draining preloaded no-op tasks.

Every queue is filled before its worker starts; the rate is counted from outside, from the moment
a tenth of the results is stored until all are. Results are stored, and the claims of a worker that
dies come back (where a peer does not promise that, its line says so). Each peer runs as one worker
process, in the one configuration that its line names: chosen for short tasks, not searched for the
fastest. It runs right after a doneyet run: a ratio compares neighbours in time.

What a drain is limited by is told by the processor time that each task took: a worker is one
process with one interpreter lock, Redis one thread, so neither can give more than one second a
second. Starting and filling are not in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.peers.catalog import PEERS, Peer
from benchmarks.peers.program import Program, environ, program
from benchmarks.queues.drain_clock import SKIPPED, StalledError, looks, tasks_per_s
from benchmarks.queues.stock import fill, left, manager_for
from benchmarks.report.figures import TIMES, Figure, Missing, ratios
from benchmarks.servers.processor_time import used_s
from benchmarks.servers.start import settings_for, start, start_worker
from benchmarks.setup.environments import HERE, NotInstalledError
from doneyet.local.managed_process import Part, PartError

TASKS = 80_000
MOST_S = 60.0
ROUNDS = 3

MAIN = ("random", "noop")
OTHERS = tuple(
    (queue_mode, type_name)
    for type_name in ("noop", "noop-batch")
    for queue_mode in ("random", "distributed", "ordered")
    if (queue_mode, type_name) != MAIN
)

_FAILURES = (StalledError, PartError, subprocess.SubprocessError)


def run(bench: Bench) -> list[Figure | Missing]:
    """The forms of doneyet, and every peer with its ratio."""
    programs, failures = _programs()
    rates: dict[str, list[float]] = {_label(*each): [] for each in (MAIN, *OTHERS)}
    used: dict[str, list[Used]] = {}
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for form in OTHERS:
            rates[_label(*form)].append(drain_doneyet(bench, *form, used=used))
        for name, peer_program in programs.items():
            ours = drain_doneyet(bench, *MAIN, used=used)
            rates[_label(*MAIN)].append(ours)
            if name in failures:
                continue
            try:
                theirs = drain_peer(bench, peer_program, used=used)
            except _FAILURES as error:
                failures[name] = str(error)
                bench.say(f"{name} failed: {error}")
                continue
            rates.setdefault(name, []).append(theirs)
            times.setdefault(name, []).extend(ratios([ours], [theirs]))
    figures: list[Figure | Missing] = [
        Figure(f"doneyet, {label}", rates[label], "tasks/s", "drain")
        for label in (_label(*each) for each in (MAIN, *OTHERS))
    ]
    for peer in PEERS:
        figures += _figures_of(peer, programs, failures, rates, times)
    return [*figures, *_used_figures(used)]


class Used(NamedTuple):
    """Processor time of one drain, µs a task."""

    worker_us: float
    redis_us: float


class _Meter:
    """The processor time of a worker and of Redis while a rate is counted, without their start."""

    def __init__(self, bench: Bench, worker: Part, tasks: int) -> None:
        self._pids = worker.pid, int(bench.server.info("server")["process_id"])
        self._tasks = tasks
        self._began: tuple[int, list[float]] | None = None
        self._finished = 0

    def watching(self, seen: Iterator[tuple[float, int]]) -> Iterator[tuple[float, int]]:
        """`seen` as it is; begins where `tasks_per_s` begins to count."""
        for at_s, finished in seen:
            if self._began is None and finished >= self._tasks * SKIPPED:
                self._began = finished, self._used_s()
            self._finished = finished
            yield at_s, finished

    def used(self) -> Used:
        """Of each task since then."""
        assert self._began is not None, "a rate was counted"
        first, began_s = self._began
        both = zip(self._used_s(), began_s, strict=True)
        return Used(*((now_s - then_s) / (self._finished - first) * 1e6 for now_s, then_s in both))

    def _used_s(self) -> list[float]:
        return [used_s(pid) for pid in self._pids]


def _used_figures(used: dict[str, list[Used]]) -> Iterator[Figure]:
    for name, found in used.items():
        label = f"processor time of a task, {name}: "
        yield Figure(f"{label}worker", [each.worker_us for each in found], "µs")
        yield Figure(f"{label}Redis", [each.redis_us for each in found], "µs")


def _programs() -> tuple[dict[str, Program], dict[str, str]]:
    """Each peer's program, or why there is none."""
    programs: dict[str, Program] = {}
    failures: dict[str, str] = {}
    for peer in PEERS:
        try:
            programs[peer.name] = program(peer)
        except NotInstalledError as error:
            failures[peer.name] = str(error)
    return programs, failures


def _figures_of(
    peer: Peer,
    programs: dict[str, Program],
    failures: dict[str, str],
    rates: dict[str, list[float]],
    times: dict[str, list[float]],
) -> list[Figure | Missing]:
    if peer.name in failures:
        return [Missing(peer.label, failures[peer.name], peer.budget)]
    label = f"{peer.label} {programs[peer.name].version}"
    return [
        Figure(label, rates[peer.name], "tasks/s", note=peer.how),
        Figure(f"doneyet / {peer.label}", times[peer.name], TIMES, peer.budget),
    ]


def _label(queue_mode: str, type_name: str) -> str:
    return f"{queue_mode}, {'batches of up to 64' if 'batch' in type_name else 'one by one'}"


def drain_doneyet(
    bench: Bench, queue_mode: str, type_name: str, *, used: dict[str, list[Used]] | None = None
) -> float:
    """Tasks per second of `python -m worker`; the processor time goes to `used`, by name."""
    bench.empty()
    settings = settings_for(bench.redis_url, queue_mode)
    with manager_for(settings) as (manager, types):
        task_type = types[type_name]
        fill(manager, task_type, range(TASKS))
        worker = start_worker(settings)
        try:
            meter = _Meter(bench, worker, TASKS)
            seen = looks(lambda: TASKS - left(manager, task_type), worker.check, MOST_S)
            rate = tasks_per_s(meter.watching(seen), TASKS)
            if used is not None:
                used.setdefault(f"doneyet, {_label(queue_mode, type_name)}", []).append(
                    meter.used()
                )
        finally:
            worker.stop()
    bench.say(f"doneyet, {_label(queue_mode, type_name)}: {rate:,.0f} tasks/s")
    return rate


def drain_peer(bench: Bench, of: Program, *, used: dict[str, list[Used]] | None = None) -> float:
    """As `drain_doneyet`, of a peer's one worker process."""
    bench.empty()
    peer, place = of.peer, environ(bench.redis_url)
    subprocess.run(
        of.enqueue(),
        env={**os.environ, **place},
        cwd=HERE.parent,
        stdout=sys.stderr,
        check=True,
        timeout=MOST_S,
    )
    worker = start(peer.label, of.work(bench.redis_url), place)
    try:
        meter = _Meter(bench, worker, peer.tasks)
        seen = looks(lambda: peer.finished(bench.server, peer.tasks), worker.check, MOST_S)
        rate = tasks_per_s(meter.watching(seen), peer.tasks)
        if used is not None:
            used.setdefault(peer.label, []).append(meter.used())
    except StalledError as error:
        raise StalledError(worker.said(str(error))) from error
    finally:
        worker.stop()
    bench.say(f"{peer.label}: {rate:,.0f} tasks/s")
    return rate
