"""How the worker's programs log: readable lines on standard error."""

from __future__ import annotations

import logging

from settings import Settings


def set_up_logs(settings: Settings) -> None:
    """Logs from `settings.log_level` on."""
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s",
    )
