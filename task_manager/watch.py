"""One subscription per process to the tasks that become terminal."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from redis.client import PubSub

from task_manager.connection import Connection
from task_manager.errors import UnavailableError

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 1.0


class FinishedWatch:
    """A thread that tells of finished tasks; reconnects by itself for as long as it runs."""

    def __init__(
        self,
        connection: Connection,
        channel: str,
        on_finished: Callable[[Sequence[str]], None],
        on_connected: Callable[[bool], None],
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._on_finished = on_finished
        self._on_connected = on_connected
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self.run, name="finished-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread; returns when it has ended."""
        self._closed.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def run(self) -> None:
        """Listens until closed."""
        pause_s = 0.05
        while not self._closed.is_set():
            try:
                with self._connection.blocking_client() as client, client.pubsub() as pubsub:
                    pubsub.subscribe(self._channel)
                    pause_s = 0.05
                    while not self._closed.is_set():
                        self.run_once(pubsub)
            except UnavailableError as error:
                self._on_connected(False)
                log.debug("no news of finished tasks: %s", error)
                self._closed.wait(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def run_once(self, pubsub: PubSub) -> None:
        """Waits up to 0.2 s for one message and passes it on."""
        message = pubsub.get_message(timeout=0.2)
        if message is None:
            return
        if message["type"] == "subscribe":
            self._on_connected(True)
        elif message["type"] == "message":
            self._on_finished(message["data"].decode().split(","))
