"""The layer that tells workers which traces tasks belong to."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

from http_server.submit.bounded_cache import BoundedCache
from http_server.submit.chain import ParsedTask, Submitted, WaitingLayer
from task_manager.errors import UnavailableError
from task_manager.redis.trace_links import TraceLinks

NOTED_BYTES = 8 << 20
"""For what was told already, since whoever polls does so in one trace; at about 300 bytes each."""


class TracedLayer:
    """Notes the trace of a request with its tasks, before a worker could begin them."""

    def __init__(self, inner: WaitingLayer, links: TraceLinks) -> None:
        self._inner, self._links = inner, links
        self._noted: BoundedCache[tuple[str, int], bool] = BoundedCache(NOTED_BYTES)

    def submit(
        self, tasks: Sequence[ParsedTask], *, discard: bool = False, wait_s: float | None = None
    ) -> Submitted:
        """As the layer inside."""
        span = get_current_span().get_span_context()
        if span.is_valid and span.trace_flags.sampled:
            new = [task for task in tasks if not self._noted.get((task.id, span.trace_id))]
            trace, own = format_trace_id(span.trace_id), format_span_id(span.span_id)
            try:
                if new:
                    self._links.note([(t.type, t.id) for t in new], f"00-{trace}-{own}-01")
            except UnavailableError:
                pass  # the submit itself says so
            else:
                for task in new:
                    self._noted.put((task.id, span.trace_id), True, 300)
        return self._inner.submit(tasks, discard=discard, wait_s=wait_s)
