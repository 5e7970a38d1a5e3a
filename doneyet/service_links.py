"""Variables that Kubernetes makes of Services whose names begin as ours do."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_SERVICE_LINKS = [
    (re.compile(rf"DONEYET(?:_\w+)?{name}"), re.compile(text))
    for name, text in (
        ("_SERVICE_HOST", r"[0-9a-fA-F:.]+"),
        (r"_SERVICE_PORT(?:_\w+)?", r"[0-9]+"),
        (r"_PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?", r"(?:tcp|udp|sctp)://[0-9a-fA-F:.\[\]]+:[0-9]+"),
        ("_PORT_[0-9]+_(?:TCP|UDP|SCTP)_PROTO", "tcp|udp|sctp"),
        ("_PORT_[0-9]+_(?:TCP|UDP|SCTP)_PORT", "[0-9]+"),
        ("_PORT_[0-9]+_(?:TCP|UDP|SCTP)_ADDR", r"[0-9a-fA-F:.]+"),
    )
]
"""Names and values of what Kubernetes sets in every container for each Service."""


def service_links(environ: Mapping[str, str] | None = None) -> list[str]:
    """Variables that Kubernetes made of a Service called `doneyet` or `doneyet-...`: no settings.

    Such as `DONEYET_PORT=tcp://10.0.0.1:80`. The value tells them from a setting of the same name.
    """
    environ = os.environ if environ is None else environ
    return [
        name
        for name, text in environ.items()
        if any(names.fullmatch(name) and values.fullmatch(text) for names, values in _SERVICE_LINKS)
    ]
