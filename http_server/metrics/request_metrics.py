"""This process as metrics: how long its requests took, by route and status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ROUTE = "doneyet.route"
"""Where routes write into a request's environment what they are called."""

NO_ROUTE = "none"
"""The label of requests that no route answered: refused, or for a path that there is not."""

SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1, 2.5, 5, 10, 30, 60),
)


class RequestMetrics:
    """The metrics of one server process, in a registry of its own.

    Args:
        prefix: what the names of metrics begin with.
        remembered: how many answers came from this process' own memory, by task type.
    """

    def __init__(self, prefix: str, remembered: Mapping[str, int]) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            f"{prefix}http_request_seconds",
            "From a request's headers to its whole response, by route and status code; held "
            "requests (Prefer: wait) included.",
            ["route", "code"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._observe: dict[tuple[str, str], Callable[[float], None]] = {}
        self.registry.register(_Remembered(f"{prefix}remembered_answers", remembered))
        ProcessCollector(registry=self.registry)

    def observe(self, environ: WSGIEnvironment, code: str, elapsed_s: float) -> None:
        """A request was answered with this status code, after so many seconds."""
        labels = environ.get(ROUTE, NO_ROUTE), code
        observe = self._observe.get(labels)
        if observe is None:
            observe = self._observe[labels] = self._seconds.labels(*labels).observe
        observe(elapsed_s)


class _Remembered(Collector):
    """Answers that a server process gave without asking Redis, which therefore counts none."""

    def __init__(self, name: str, counts: Mapping[str, int]) -> None:
        self._name, self._counts = name, counts

    def describe(self) -> Sequence[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        text = "Inputs that were answered from this process' memory; Redis counts the others."
        family = CounterMetricFamily(self._name, text, labels=["type"])
        for type_name, count in dict(self._counts).items():
            family.add_metric([type_name], count)
        yield family
