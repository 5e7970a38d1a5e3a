"""What this process hears about finished tasks: one subscription, however many requests wait."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from task_manager.interface import TaskSubmitter, Watch

log = logging.getLogger(__name__)


class News:
    """The process' one subscription.

    `epoch` changes whenever news may have been missed, so that what was learned in an older epoch
    is known to be doubtful; `connected` says whether news comes at all.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.connected = False
        self._lock = threading.Lock()
        self._watch: Watch | None = None
        self._on_finished: list[Callable[[Sequence[str]], None]] = []
        self._on_doubt: list[Callable[[], None]] = []

    def tell(
        self, on_finished: Callable[[Sequence[str]], None], on_doubt: Callable[[], None]
    ) -> None:
        """Calls `on_finished` with ids, and `on_doubt` when the connection came or went; in the
        order in which they were told to."""
        self._on_finished.append(on_finished)
        self._on_doubt.append(on_doubt)

    def start(self, manager: TaskSubmitter, on_failed: Callable[[Exception], None]) -> None:
        """Begins to listen; `on_failed` hears why no connection could be made."""
        self._watch = manager.watch(self._finished, self._connected, on_failed)

    def close(self) -> None:
        """Stops listening."""
        if self._watch is not None:
            self._watch.close()

    def _finished(self, ids: Sequence[str]) -> None:
        for call in self._on_finished:
            call(ids)

    def _connected(self, connected: bool) -> None:
        with self._lock:
            if not connected and not self.connected and self.epoch:
                return  # still away
            self.connected = False  # nobody may see the new epoch with the old connection
            self.epoch += 1
            self.connected = connected
        log.debug("notifications of finished tasks %s", "arrive" if connected else "are missing")
        for call in self._on_doubt:
            call()
