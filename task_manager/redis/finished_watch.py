"""One subscription per process to the tasks that become terminal.

A subscription only listens, so that one whose connection died silently would look like one without
news. It is pinged every second, and made anew where no answer comes.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence

import redis
from redis.client import PubSub

from task_manager.backoff import Backoff
from task_manager.errors import UnavailableError
from task_manager.redis.clients import Client, still_hears, subscription
from task_manager.redis.connection import Connection

log = logging.getLogger(__name__)

PING_EVERY_S = 1.0
SILENT_MOST_S = 2.0
"""How long nothing may be heard, not even the answer to a ping."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0


class FinishedWatch:
    """A thread that tells of finished tasks; reconnects by itself for as long as it runs."""

    def __init__(
        self,
        connection: Connection,
        channel: str,
        on_finished: Callable[[Sequence[str]], None],
        on_connected: Callable[[bool], None],
        on_failed: Callable[[Exception], None],
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._on_finished = on_finished
        self._on_connected = on_connected
        self._on_failed = on_failed
        self._connected = False
        self._closed = threading.Event()
        self._heard_s = self._next_ping_s = 0.0
        self._thread = threading.Thread(target=self.run, name="finished-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread; returns when it has ended."""
        self._closed.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def run(self) -> None:
        """Listens until closed, whatever happens."""
        backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        while not self._closed.is_set():
            try:
                with (
                    self._connection.claiming_client() as client,
                    subscription(client) as pubsub,
                ):
                    pubsub.subscribe(self._channel)
                    self._heard_s = time.monotonic()
                    self._next_ping_s = self._heard_s + PING_EVERY_S
                    began_s = self._heard_s
                    while not self._closed.is_set():
                        self.run_once(client, pubsub)
                        if self._heard_s > began_s + LONGEST_PAUSE_S:  # it was a good connection
                            backoff.reset()
            except Exception as error:
                if isinstance(error, UnavailableError):
                    log.debug("no notifications of finished tasks: %s", error)
                else:
                    log.exception("listening for finished tasks failed; trying again")
                with contextlib.suppress(Exception):  # which may be what failed
                    connected, self._connected = self._connected, False
                    self._on_connected(False)
                    if not connected:
                        self._on_failed(error)
                self._closed.wait(backoff.next_s())

    def run_once(self, client: Client, pubsub: PubSub) -> None:
        """Waits up to 0.2 s for one message and passes it on.

        Raises:
            redis.ConnectionError: nothing has been heard for too long, or would be.
        """
        message = pubsub.get_message(timeout=0.2)
        now_s = time.monotonic()
        if message is None:
            if now_s > self._heard_s + SILENT_MOST_S:
                raise redis.ConnectionError("the subscription has fallen silent")
            if now_s > self._next_ping_s:
                self._next_ping_s = now_s + PING_EVERY_S
                pubsub.ping()
                if not still_hears(client, pubsub):
                    raise redis.ConnectionError("news comes to another server now")
            return
        self._heard_s = now_s
        if message["type"] == "subscribe":
            self._connected = True
            self._on_connected(True)
        elif message["type"] == "message" and message["data"]:
            self._on_finished(message["data"].decode().split(","))
