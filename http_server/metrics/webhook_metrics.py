"""What came of the webhooks that this process sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from http_server.webhooks.delivery import Verdict


class WebhookMetrics(Collector):
    """Attempts by outcome, each there from the start, so that the first of a kind counts.

    Args:
        prefix: what the names of metrics begin with.
        counts: how many attempts there were, by outcome.
    """

    def __init__(self, prefix: str, counts: Mapping[str, int]) -> None:
        self._name, self._counts = f"{prefix}webhook_deliveries", counts

    def describe(self) -> Sequence[Metric]:
        """Nothing, as the others."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """One counter."""
        text = (
            "Attempts to send a webhook: delivered, failed (it is tried again), or gave_up, where "
            "its receiver wants no more, or its time is over."
        )
        family = CounterMetricFamily(self._name, text, labels=["outcome"])
        for verdict in Verdict:
            family.add_metric([verdict.value], self._counts.get(verdict.value, 0))
        yield family
