"""A span per batch, with links to the requests that asked for its tasks."""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, SpanKind, StatusCode, TraceFlags

from doneyet.tracing import FLUSH_S, Tracing
from task_manager.errors import UnavailableError
from task_manager.redis.trace_links import TraceLinks

log = logging.getLogger(__name__)

MOST_WAITING = 1000
"""Spans whose links are not known yet; beyond them, spans have none."""
MOST_TASKS = 128
"""Tasks of a batch whose links are asked for: collectors keep 128 links of a span."""

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

_Ended = tuple[Span, str, Sequence[str], int]
"""A span, the type and ids of its tasks, and when it ended, ns since 1970."""


class BatchSpans:
    """Makes a span of each batch; a thread of its own asks for the links, so that no batch waits.

    A batch belongs to no trace of those who asked, which may be many: it has one of its own, that
    links to theirs. Spans that a handler makes are children of its batch's.
    """

    def __init__(self, tracing: Tracing, links: TraceLinks, owner: str) -> None:
        trace.set_tracer_provider(tracing.provider)  # for handlers
        self._tracing, self._links, self._owner = tracing, links, owner
        self._ended: queue.Queue[_Ended | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._link, name="batch-spans", daemon=True)
        self._thread.start()

    @contextmanager
    def of(self, type_name: str, ids: Sequence[str]) -> Iterator[Span]:
        """While a batch runs."""
        span = self._tracing.tracer.start_span(
            f"run {type_name}",
            context=Context(),
            kind=SpanKind.CONSUMER,
            attributes={
                "messaging.system": "doneyet",
                "messaging.operation.type": "process",
                "messaging.operation.name": "run",
                "messaging.destination.name": type_name,
                "messaging.batch.message_count": len(ids),
                "messaging.client.id": self._owner,
            },
        )
        with trace.use_span(span):
            yield span
        if not span.is_recording():
            return
        try:
            self._ended.put_nowait((span, type_name, ids[:MOST_TASKS], time.time_ns()))
        except queue.Full:
            span.end()

    def tell_outcome(self, span: Span, done: int, failed: int) -> None:
        """What came of the batch that has this span."""
        span.set_attributes({"doneyet.done": done, "doneyet.failed": failed})
        if failed:
            span.set_status(StatusCode.ERROR, f"{failed} failed")

    def close(self) -> None:
        """Sends what is left, as far as that goes within some seconds."""
        self._ended.put(None)
        self._thread.join(FLUSH_S)
        self._tracing.close()
        self._links.close()

    def _link(self) -> None:
        while (ended := self._ended.get()) is not None:
            span, type_name, ids, ended_ns = ended
            try:
                found = self._links.of(type_name, ids)
            except UnavailableError:
                found = []  # whoever is away is told about elsewhere
            except Exception:
                log.exception("the traces of %s tasks cannot be told", type_name)
                found = []
            for each in found:
                if asker := _span_context(each):
                    span.add_link(asker)
            span.end(ended_ns)


def _span_context(traceparent: str) -> SpanContext | None:
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    trace_id, span_id = (int(part, 16) for part in found.groups())
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(1))
