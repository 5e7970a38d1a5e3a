"""How jobs hear of their finished tasks: one subscription, however many jobs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from task_manager.interface import TaskSubmitter, Watch


class Listener(Protocol):
    """Whoever wants to hear; called by another thread, and to return at once."""

    def heard(self, ids: Sequence[str]) -> None: ...
    def doubt(self) -> None: ...


class ItemCompletions:
    """The supervisor's subscription to finished tasks."""

    def __init__(self) -> None:
        self.connected = False
        """Whether news comes."""
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._watch: Watch | None = None

    def start(self, submitter: TaskSubmitter) -> None:
        """Begins to listen."""
        self._watch = submitter.watch(self._on_finished, self._on_connected)

    def close(self) -> None:
        """Stops listening."""
        if self._watch is not None:
            self._watch.close()

    def add(self, listener: Listener) -> None:
        """Tells `listener` from now on."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def remove(self, listener: Listener) -> None:
        """Tells it nothing more."""
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

    def _on_finished(self, ids: Sequence[str]) -> None:
        for listener in self._listeners:
            listener.heard(ids)

    def _on_connected(self, connected: bool) -> None:
        self.connected = connected
        for listener in self._listeners:
            listener.doubt()
