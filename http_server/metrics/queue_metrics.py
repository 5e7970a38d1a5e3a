"""The queues as metrics: read from Redis when somebody asks, the same whichever server answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from doneyet.task_types import TaskType
from task_manager.interface import TaskSubmitter
from task_manager.tally import BATCH_SIZES, DURATIONS_S, FINISHED, SUBMITTED, Histogram, Tally


class QueueMetrics(Collector):
    """All task types of one deployment.

    Raises:
        UnavailableError: when collected while Redis is away. Where a part of a cluster is, there is
            nothing of its types but that they are.
    """

    def __init__(
        self, manager: TaskSubmitter, types: Mapping[str, TaskType], prefix: str = "doneyet_"
    ) -> None:
        self._manager, self._types, self._prefix = manager, types, prefix

    def describe(self) -> Sequence[Metric]:
        """Nothing, so that registering this asks no Redis."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """A few round trips, whatever waits."""
        names = self._manager.reachable(list(self._types))
        text = "Whether the node of a cluster that has a type is away: 1."
        away = self._gauge("unavailable", text, "type")
        for name in self._types:
            away.add_metric([name], name not in names)
        yield away
        yield from self._now(names)
        yield from self._since_counting_began(self._manager.tallies(names))
        yield from self._redis()

    def _now(self, names: Sequence[str]) -> Iterator[Metric]:
        own = self._manager.load(names)
        others = self._manager.other_versions(names)
        tasks = self._gauge("tasks", "Tasks that wait or run.", "type", "state")
        workers = self._gauge("workers", "Worker processes that serve a type.", "type", "version")
        for load in own:
            of_all = [load, *(other for other in others if other.type == load.type)]
            tasks.add_metric([load.type, "waiting"], sum(each.waiting for each in of_all))
            tasks.add_metric([load.type, "running"], sum(each.running for each in of_all))
            for each in of_all:
                version = each.version or self._types[load.type].version
                workers.add_metric([load.type, version], each.workers)
        paused = self._gauge("paused", "Whether tasks of a type do not begin, as told: 1.", "type")
        for load in own:
            paused.add_metric([load.type], load.paused)
        oldest = self._gauge(
            "oldest_waiting_seconds",
            "For how long a task waits, the longest of those that are next; of a sample where "
            "tasks are picked at random.",
            "type",
        )
        for name, waits_s in zip(names, self._manager.oldest(names), strict=True):
            oldest.add_metric([name], waits_s or 0.0)
        ttl = self._gauge(
            "input_ttl_seconds", "For how long one submit keeps a task of a type alive.", "type"
        )
        for name in names:
            ttl.add_metric([name], self._types[name].input_ttl_s or 0.0)
        yield from (tasks, workers, paused, oldest, ttl)

    def _since_counting_began(self, tallies: Sequence[Tally]) -> Iterator[Metric]:
        submissions = self._counter(
            "submissions",
            "Inputs that were submitted, by what came of them: answered from a stored result "
            "(cached), a new task, one that waits or runs already (joined), or refused.",
            "outcome",
        )
        finished = self._counter("finished", "Tasks that ended, by how.", "outcome")
        abandoned = self._counter("abandoned", "Tasks that expired: nobody asked any more.")
        retries = self._counter("retries", "Tasks that began again after their process had died.")
        for tally in tallies:
            events = tally.events
            for outcome in SUBMITTED:
                submissions.add_metric([tally.type, outcome], events.get(outcome, 0))
            for outcome in FINISHED:
                finished.add_metric([tally.type, outcome], events.get(outcome, 0))
            abandoned.add_metric([tally.type], events.get("abandoned", 0))
            retries.add_metric([tally.type], events.get("retries", 0))
        yield from (submissions, finished, abandoned, retries)
        waits = {tally.type: tally.waits for tally in tallies}
        runs = {tally.type: tally.runs for tally in tallies}
        batches = {tally.type: tally.batches for tally in tallies}
        text = "From a task's submission until a worker first claimed it."
        yield self._histogram("wait_seconds", text, DURATIONS_S, waits)
        text = "For how long a task ran, with the others of its batch."
        yield self._histogram("run_seconds", text, DURATIONS_S, runs)
        yield self._histogram("batch_size", "Tasks that ran together.", BATCH_SIZES, batches)

    def _redis(self) -> Iterator[Metric]:
        memory = self._manager.memory()
        if memory is None:
            return
        used = self._gauge("redis_memory_bytes", "Memory that Redis uses.")
        used.add_metric([], memory.used_bytes)
        limit = self._gauge("redis_memory_limit_bytes", "Redis' maxmemory; 0: no limit.")
        limit.add_metric([], memory.limit_bytes)
        yield from (used, limit)

    def _gauge(self, name: str, text: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(self._prefix + name, text, labels=labels)

    def _counter(self, name: str, text: str, *labels: str) -> CounterMetricFamily:
        return CounterMetricFamily(self._prefix + name, text, labels=("type", *labels))

    def _histogram(
        self, name: str, text: str, bounds: Sequence[float], of_each: Mapping[str, Histogram]
    ) -> HistogramMetricFamily:
        family = HistogramMetricFamily(self._prefix + name, text, labels=["type"])
        ends = [*map(str, map(float, bounds)), "+Inf"]
        for type_name, histogram in of_each.items():
            upto, buckets = 0, []
            for end, count in zip(ends, histogram.counts, strict=True):
                upto += count
                buckets.append((end, upto))
            family.add_metric([type_name], buckets, histogram.total)
        return family
