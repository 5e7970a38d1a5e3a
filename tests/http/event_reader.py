"""Reads server-sent events in a thread, as a browser does, and notes what came."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import requests

from tests.helpers import wait_until


class Got(NamedTuple):
    """One event, and when it came (monotonic, s)."""

    name: str
    data: Any
    id: str
    at_s: float


class EventReader:
    """What came so far: `events`, how many `comments`, the `retry` that was told, raw `lines`.

    Args:
        chunks: bytes as they come.
        close: lets go of the stream.
    """

    def __init__(self, chunks: Iterable[bytes], close: Callable[[], object]) -> None:
        self.events: list[Got] = []
        self.lines: list[str] = []
        self.comments = 0
        self.retry: int | None = None
        self.ended = threading.Event()
        self.broken: Exception | None = None
        self._chunks, self.close = chunks, close
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    def at(cls, url: str, last_id: str = "") -> EventReader:
        """What a server says at `url`.

        Raises:
            requests.HTTPError: it says no.
        """
        headers = {"Last-Event-ID": last_id} if last_id else {}
        response = requests.get(url, headers=headers, stream=True, timeout=(5, 40))
        response.raise_for_status()

        def hang_up() -> None:
            connection: Any = response.raw.connection
            with suppress(OSError, AttributeError):  # `close` alone would wait for what is read
                connection.sock.shutdown(socket.SHUT_RDWR)
            response.close()

        return cls(response.iter_content(None), hang_up)

    @property
    def names(self) -> list[str]:
        """The names of all events so far."""
        return [each.name for each in list(self.events)]

    def first(self, name: str, timeout_s: float = 30.0) -> Got:
        """The first event called so, as soon as it is there."""

        def found() -> Got | None:
            return next((each for each in list(self.events) if each.name == name), None)

        got = wait_until(found, description=f"a {name} event came", timeout_s=timeout_s)
        assert got is not None
        return got

    def wait_for_end(self, timeout_s: float = 30.0) -> None:
        """Returns when the server has closed the stream."""
        wait_until(self.ended.is_set, description="the stream ends", timeout_s=timeout_s)

    def _read(self) -> None:
        text = b""
        try:
            for chunk in self._chunks:
                *blocks, text = (text + chunk).split(b"\n\n")
                for block in blocks:
                    self._take(block.decode())
        except Exception as error:
            self.broken = error
        finally:
            with suppress(Exception):
                self.close()
            self.ended.set()

    def _take(self, block: str) -> None:
        fields: dict[str, list[str]] = {}
        for line in block.split("\n"):
            self.lines.append(line)
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
        self.comments += len(fields.get("", ()))
        if "retry" in fields:
            self.retry = int(fields["retry"][0])
        if "data" in fields:
            data = json.loads("\n".join(fields["data"]))
            (name,), (event_id,) = fields["event"], fields["id"]
            self.events.append(Got(name, data, event_id, time.monotonic()))
