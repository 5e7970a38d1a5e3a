"""`python -m benchmarks.split`: one task type on three local masters, in one queue and in three.

Three masters and a worker share what cores there are, so how many tasks a second come through says
little of what three machines would do. What says it is the processor time of each node: a node is
one thread, so the busiest is the limit. News of finished tasks goes to all nodes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from benchmarks.queues.drain_clock import looks, tasks_per_s
from benchmarks.queues.stock import fill, left, manager_for, numbered
from benchmarks.servers.processor_time import used_s
from benchmarks.servers.start import settings_for, start_worker
from benchmarks.servers.three_masters import three_masters
from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.settings import Settings
from doneyet.task_types import TaskType
from task_manager.interface import TaskManager
from task_manager.values import Result, State

TYPE, OWNER = "noop", "split"
ROUNDS = 3
WAITING = 600
"""So many are submitted before they are claimed: of a busy type some wait in each queue."""
MOST_S = 120.0


class Took(NamedTuple):
    """What one round took: tasks a second, and processor time of each node, µs a task."""

    tasks_per_s: float
    nodes_us: Sequence[float]


def main() -> None:
    """Prints a row for each form and way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.split", description=__doc__)
    parser.add_argument("--tasks", type=int, default=18_000)
    tasks = parser.parse_args().tasks
    ways: dict[str, Callable[[Settings, Sequence[EmbeddedRedis], int], Took]] = {
        "one by one": lambda settings, nodes, count: _by_hand(settings, nodes, count, 1),
        "by the hundred": lambda settings, nodes, count: _by_hand(settings, nodes, count, 100),
        "a worker process drains": _drained,
    }
    print(f"{tasks:,} no-op tasks of one type; the median of {ROUNDS}")
    for way, measure in ways.items():
        rounds: dict[str, list[Took]] = {}
        for _ in range(ROUNDS):  # one form after the other, so that neighbours in time compare
            with ExitStack() as stack:
                alone = stack.enter_context(EmbeddedRedis(tcp=True))
                url, nodes = stack.enter_context(three_masters())
                forms = {
                    "one Redis": (alone.url, [alone], ""),
                    "three nodes, one queue": (url, nodes, ""),
                    "three nodes, three queues": (url, nodes, f"{TYPE}=3"),
                }
                for form, (at, servers, split) in forms.items():
                    settings = settings_for(
                        at, "distributed", split_types=split, key_prefix=form.replace(" ", "-")
                    )
                    rounds.setdefault(form, []).append(measure(settings, servers, tasks))
        for form, took in rounds.items():
            _print(way, form, took)


def _print(way: str, form: str, rounds: Sequence[Took]) -> None:
    rate = median(each.tasks_per_s for each in rounds)
    nodes = [median(us) for us in zip(*(sorted(each.nodes_us) for each in rounds), strict=True)]
    each_node = " + ".join(f"{us:5.1f}" for us in nodes)
    print(
        f"{way:24} {form:26} {rate:8,.0f} tasks/s; Redis {each_node} µs a task, "
        f"so at most {1e6 / max(nodes):8,.0f} tasks/s",
        flush=True,
    )


def _by_hand(settings: Settings, nodes: Sequence[EmbeddedRedis], tasks: int, at_once: int) -> Took:
    """From submit to result, so many in each call."""
    with manager_for(settings) as (manager, types):
        manager.renew({OWNER: [TYPE]}, lease_s=600)
        before_s = _used_s(nodes)
        began_s = time.monotonic()
        for start in range(0, tasks, WAITING):
            _round(manager, types[TYPE], range(start, start + WAITING), at_once)
        took_s = time.monotonic() - began_s
        return Took(tasks / took_s, _us(nodes, before_s, tasks))


def _round(manager: TaskManager, task_type: TaskType, numbers: range, at_once: int) -> None:
    for start in range(0, len(numbers), at_once):
        manager.submit(numbered(task_type, numbers[start : start + at_once]))
    while claims := manager.claim(OWNER, [TYPE], at_once):
        manager.finish(OWNER, [Result(each.id, TYPE, State.DONE, b"{}", 60) for each in claims])


def _drained(settings: Settings, nodes: Sequence[EmbeddedRedis], tasks: int) -> Took:
    """Filled before the worker starts; from a tenth of it on."""
    with manager_for(settings) as (manager, types):
        fill(manager, types[TYPE], range(tasks))
        began: list[tuple[int, Sequence[float]]] = []

        def finished() -> int:
            count = tasks - left(manager, types[TYPE])
            if not began and count >= tasks // 10:
                began.append((count, _used_s(nodes)))
            return count

        worker = start_worker(settings)
        try:
            rate = tasks_per_s(looks(finished, worker.check, MOST_S), tasks)
        finally:
            worker.stop()
        ((first, before_s),) = began
        return Took(rate, _us(nodes, before_s, tasks - first))


def _used_s(nodes: Sequence[EmbeddedRedis]) -> list[float]:
    return [used_s(node.pid) for node in nodes]


def _us(nodes: Sequence[EmbeddedRedis], before_s: Sequence[float], tasks: int) -> list[float]:
    both = zip(_used_s(nodes), before_s, strict=True)
    return [(now_s - then_s) / tasks * 1e6 for now_s, then_s in both]


if __name__ == "__main__":
    main()
