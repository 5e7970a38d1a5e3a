"""How the worker's programs log: readable lines on standard error."""

from __future__ import annotations

import logging
import os

from doneyet.settings import Settings


def set_up_logs(settings: Settings, *, beside_handlers: bool = False) -> None:
    """Logs from `settings.log_level` on.

    `beside_handlers`: to a file descriptor of our own, since a handler may close standard error.
    """
    logging.raiseExceptions = not beside_handlers  # there is nowhere to complain of a log's end
    stream = os.fdopen(os.dup(2), "w", errors="backslashreplace") if beside_handlers else None
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s",
        stream=stream,
    )
