"""What a submit asks for besides its answer: to be kept without polls, and told to a webhook."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

NOTHING: Mapping[str, str] = {}
PREFER = "Prefer"


def keeping_headers(
    keep_s: float, webhook_url: str | None, webhook_events: Sequence[str]
) -> Mapping[str, str]:
    """The headers that ask for it.

    Raises:
        TypeError: `webhook_events` is one text, not several.
        ValueError: `keep_s` is no time, `webhook_url` no URL, or there are events without a URL.
    """
    if isinstance(webhook_events, str):
        raise TypeError(f"webhook_events must be a list such as [{webhook_events!r}]")
    try:
        is_time = 0 <= keep_s < math.inf
    except TypeError:  # as of a text
        is_time = False
    if not is_time:
        raise ValueError(f"keep_s must be a number of seconds, 0 or more, not {keep_s!r}")
    if webhook_url is None and webhook_events:
        raise ValueError("webhook_events is of no use without webhook_url")
    headers = {}
    if keep_s:
        headers[PREFER] = f"keep={math.ceil(keep_s)}"
    if webhook_url is not None:
        headers["Webhook-URL"] = str(webhook_url)
    if webhook_events:
        headers["Webhook-Events"] = ", ".join(webhook_events)
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"{name} must be visible ASCII characters, not {value!r}")
    return headers
