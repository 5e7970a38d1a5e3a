"""One worker process draining preloaded no-op tasks.

Every queue is filled before its worker starts; the rate is counted from outside, from the moment
a tenth of the results is stored until all are. Results are stored, and the claims of a worker that
dies come back (where a peer does not promise that, its line says so). Each peer runs as one worker
process, in the one configuration that its line names: chosen for short tasks, not searched for the
fastest. It runs right after a doneyet run: a ratio compares neighbours in time.
"""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.bench import Bench
from benchmarks.peers.catalog import PEERS, Peer
from benchmarks.peers.program import Program, environ, program
from benchmarks.queues.drain_clock import StalledError, looks, tasks_per_s
from benchmarks.queues.stock import fill, left, manager_for
from benchmarks.report.figures import TIMES, Figure, Missing, ratios
from benchmarks.servers.start import settings_for, start, start_worker
from benchmarks.setup.environments import HERE, NotInstalledError
from doneyet.local.managed_process import PartError

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
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for form in OTHERS:
            rates[_label(*form)].append(drain_doneyet(bench, *form))
        for name, peer_program in programs.items():
            ours = drain_doneyet(bench, *MAIN)
            rates[_label(*MAIN)].append(ours)
            if name in failures:
                continue
            try:
                theirs = drain_peer(bench, peer_program)
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
    return figures


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


def drain_doneyet(bench: Bench, queue_mode: str, type_name: str) -> float:
    """Tasks per second of `python -m worker`."""
    bench.empty()
    settings = settings_for(bench.redis_url, queue_mode)
    with manager_for(settings) as (manager, types):
        task_type = types[type_name]
        fill(manager, task_type, range(TASKS))
        worker = start_worker(settings)
        try:
            seen = looks(lambda: TASKS - left(manager, task_type), worker.check, MOST_S)
            rate = tasks_per_s(seen, TASKS)
        finally:
            worker.stop()
    bench.say(f"doneyet, {_label(queue_mode, type_name)}: {rate:,.0f} tasks/s")
    return rate


def drain_peer(bench: Bench, of: Program) -> float:
    """Tasks per second of a peer's one worker process."""
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
        seen = looks(lambda: peer.finished(bench.server, peer.tasks), worker.check, MOST_S)
        rate = tasks_per_s(seen, peer.tasks)
    except StalledError as error:
        raise StalledError(worker.said(str(error))) from error
    finally:
        worker.stop()
    bench.say(f"{peer.label}: {rate:,.0f} tasks/s")
    return rate
