"""Server-sent events as bytes, in the form that the WHATWG's HTML standard gives."""

from __future__ import annotations

MEDIA_TYPE = "text/event-stream"
COMMENT = b":\n\n"
"""What clients ignore, and proxies take for a sign of life."""
RETRY = b"retry: 1000\n\n"
"""How long a client waits before it comes again, ms."""
HEADERS = (("x-accel-buffering", "no"),)
"""nginx passes events on as they come."""


def event(name: str, data: bytes, event_id: str) -> bytes:
    """One event; `data` may have several lines, which the client puts together again."""
    if b"\r" in data:  # which ends a line, too
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = data.replace(b"\n", b"\ndata: ")
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), event_id.encode(), lines)
