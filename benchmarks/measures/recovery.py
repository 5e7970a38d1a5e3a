"""How soon a task runs again after SIGKILL.

The worker process that runs it is killed (a worker with two processes, then one with a single one,
which has to be started again first; a fresh worker each time). Then a whole machine: the
supervisor and its process are killed at once while another worker is there, with a lease of two
seconds; the time is counted in leases.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.queues.recovery_tasks import Trace
from benchmarks.queues.stock import manager_for
from benchmarks.report.figures import Figure, Missing
from benchmarks.servers.start import settings_for, start_worker, wait_for
from doneyet.local.managed_process import Part
from doneyet.settings import Settings
from task_manager.values import Task

KILLS = 10
MACHINES = 6
LEASE_S = 2.0


class Line(NamedTuple):
    """One run of the task."""

    pid: int
    parent: int
    at_s: float


def run(bench: Bench) -> list[Figure | Missing]:
    """Seconds, and leases."""
    two = [_process_killed(bench, 2) for _ in range(KILLS)]
    one = [_process_killed(bench, 1) for _ in range(KILLS // 2)]
    machines = [_machine_killed(bench) / LEASE_S for _ in range(MACHINES)]
    bench.say(f"runs again after {max(two):.2f} s (two processes), {max(one):.2f} s (one)")
    bench.say(f"a machine's task runs again after {max(machines):.2f} leases")
    return [
        *_median_and_most("process killed, another is there", two, "s", "process killed"),
        *_median_and_most("only process killed", one, "s", "process killed"),
        *_median_and_most("machine killed, another is there", machines, "leases", "machine killed"),
    ]


def _median_and_most(
    name: str, runs: list[float], unit: str, budget: str
) -> list[Figure | Missing]:
    """The budget is for the longest."""
    return [
        Figure(f"{name}: median of {len(runs)}", runs, unit),
        Figure(f"{name}: longest of {len(runs)}", [max(runs)], unit, budget),
    ]


def _process_killed(bench: Bench, processes: int) -> float:
    settings = _settings(bench, processes=processes)
    return _until_again(bench, settings, [settings], lambda line: os.kill(line.pid, signal.SIGKILL))


def _machine_killed(bench: Bench) -> float:
    settings = _settings(bench, lease_s=LEASE_S)

    def kill(line: Line) -> None:
        os.kill(line.parent, signal.SIGKILL)
        os.kill(line.pid, signal.SIGKILL)

    return _until_again(bench, settings, [settings, settings], kill)


def _settings(bench: Bench, **more: object) -> Settings:
    values = {"tasks": "benchmarks.queues.recovery_tasks", "log_level": "error", **more}
    return settings_for(bench.redis_url, "random", **values)


def _until_again(
    bench: Bench, settings: Settings, workers: list[Settings], kill: Callable[[Line], None]
) -> float:
    """Seconds between `kill` and the task's second beginning."""
    bench.empty()
    with tempfile.TemporaryDirectory() as folder, manager_for(settings) as (manager, types):
        trace = Path(folder) / "trace"
        held = types["held"]
        text = held.canonical(Trace(path=str(trace)))
        parts: list[Part] = []
        try:
            parts += [start_worker(each) for each in workers]
            served = sum(each.processes.most for each in workers)
            wait_for(lambda: manager.load([held.name])[0].workers == served, parts[0], "they serve")
            manager.submit([Task(held.task_id(text), held.name, text)])
            wait_for(lambda: len(_lines(trace)) == 1, parts[0], "the task runs", every_s=0.002)
            victim = _lines(trace)[0]
            survivor = next((part for part in parts if part.pid != victim.parent), parts[0])
            killed_s = time.monotonic()
            kill(victim)
            wait_for(lambda: len(_lines(trace)) == 2, survivor, "the task runs again")
            return _lines(trace)[1].at_s - killed_s
        finally:
            for part in parts:
                part.stop()


def _lines(trace: Path) -> list[Line]:
    """The runs so far; a line without its end is not there yet."""
    if not trace.exists():
        return []
    complete = [line for line in trace.read_text().splitlines(keepends=True) if line[-1] == "\n"]
    return [Line(int(a), int(b), float(c)) for a, b, c in (line.split() for line in complete)]
