"""One stream of events, as the body of a response: what changes of its task, until it has finished.

It sleeps in its own thread, as a held request does, in a place of the same room. It ends when its
task has finished, or the server drains; its client comes again then. While nothing happens, it
hands over nothing now and then, since that fails where the client is gone, whose place others want.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

from doneyet.task_types import TaskType
from http_server.events.looker import Looker
from http_server.events.seen import GONE_ID, Seen, progress_mark, state_mark
from http_server.submit.chain import ParsedTask
from http_server.submit.waiting_room import BYTES_PER_PLACE, WaitingRoom, places
from http_server.wire.answer import answer_with_times
from http_server.wire.problem import unavailable
from http_server.wire.server_sent_events import COMMENT, RETRY, event
from task_manager.values import Status

COMMENT_EVERY_S = 15.0
"""How long a client hears nothing at most: proxies end connections that are silent for longer."""

IS_THERE_EVERY_S = 2.0
"""How soon it is noticed that a client is gone."""


class EventStream(Iterator[bytes]):
    """The body; `close` gives its place back.

    Raises:
        Problem: all places are taken, or the server drains.
    """

    def __init__(
        self,
        room: WaitingRoom,
        looker: Looker,
        task_type: TaskType | None,
        status: Status,
        *,
        task: ParsedTask | None,
        seen: Seen,
    ) -> None:
        self._room, self._task_type, self._seen = room, task_type, seen
        self._echo = b"{}" if task is None else task.echo
        self._leaving = ExitStack()
        held = self._leaving.enter_context(room.enter(places(1, 0 if task is None else task.size)))
        if held is None:
            self._leaving.close()
            raise no_place(room)
        self._held = held
        self._watched = looker.watch(status, task, held.wake)
        self._leaving.callback(looker.leave, self._watched, held.wake)
        self._first = RETRY
        self._over = False
        self._comment_at_s = 0.0

    def __next__(self) -> bytes:
        """What is to be sent next; empty now and then."""
        try:
            told = self._next()
        except BaseException:
            self.close()
            raise
        if told is None:
            self.close()
            raise StopIteration
        return told

    def close(self) -> None:
        """Ends it; its place is free, and nobody looks for it any more."""
        self._over = True
        self._leaving.close()

    def _next(self) -> bytes | None:
        """As `__next__`; None at the end."""
        while not self._over:
            if told := self._first + self._news():
                self._first = b""
                self._comment_at_s = time.monotonic() + COMMENT_EVERY_S
                return told
            if self._room.draining:
                return None
            left_s = self._comment_at_s - time.monotonic()
            if left_s <= 0:
                self._comment_at_s += COMMENT_EVERY_S
                return COMMENT
            if not self._held.wake.wait(min(left_s, IS_THERE_EVERY_S)):
                return b""
        return None

    def _news(self) -> bytes:
        """The events of what has not been told yet."""
        status, gone = self._watched.latest, self._watched.gone
        if gone is not None:
            self._over = True
            return event("gone", gone.as_json(), GONE_ID)
        if status.state.terminal:
            self._over = True
            # Where there is no room for it, the client comes again and gets it as any answer.
            has_room = self._room.widen(self._held, len(status.body or b"") // BYTES_PER_PLACE)
            return answer_event(self._task_type, status, self._echo) if has_room else b""
        events, seen = events_since(self._seen, status)
        self._seen = seen
        return events


def events_since(seen: Seen, status: Status) -> tuple[bytes, Seen]:
    """The events of a task that has not finished, to a client that has seen so much, and what it
    has seen then."""
    events = b""
    state, progress = state_mark(status), progress_mark(status)
    if state != seen.state:
        seen = Seen(state)
        told = {"status": status.state.value, "load": status.load}
        events = event("status", _json(told), seen.event_id)
    if progress and progress != seen.progress and status.progress is not None:
        seen = Seen(state, progress)
        fraction, message = status.progress
        come_to = {"fraction": fraction, "message": message}
        events += event("progress", _json(come_to), seen.event_id)
    return events, seen


def answer_event(task_type: TaskType | None, status: Status, echo: bytes) -> bytes:
    """The last event of a task that has finished."""
    return event("answer", answer_with_times(task_type, status, echo), state_mark(status))


def no_place(room: WaitingRoom) -> Exception:
    """Why there is no place for one more stream."""
    if room.draining:
        return unavailable("this server is draining; use another one")
    return unavailable("DONEYET_MAX_WAITING streams and held requests are open; poll, or try again")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
