"""The thread that has what happened in each hour kept, before its minutes are forgotten."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from task_manager.errors import UnavailableError
from task_manager.interface import TaskSubmitter

log = logging.getLogger(__name__)

EVERY_S = 1800.0
"""Minutes are told for eight hours, so sixteen passes may fail in a row."""
AGAIN_S = 60.0
"""After a pass that failed."""


class HourKeeper:
    """Has hours kept, for all servers of a deployment: any of them may come first."""

    def __init__(self, manager: TaskSubmitter, type_names: Sequence[str]) -> None:
        self._manager, self._type_names = manager, type_names
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self.run, name="hours", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> None:
        """Ends."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(1)

    def run(self) -> None:
        """Keeps hours until closed."""
        while not self._closed.wait(self.run_once()):
            pass

    def run_once(self) -> float:
        """One pass; how long to pause after it, s."""
        try:
            self._manager.hours(self._type_names)
        except UnavailableError:  # which others say
            return AGAIN_S
        except Exception:
            log.exception("counts by the hour cannot be kept; trying again")
            return AGAIN_S
        return EVERY_S
