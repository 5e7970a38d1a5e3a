"""The events of one task, from a stream that is begun anew where it broke."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from doneyet.client.errors import (
    NotDoneError,
    UnavailableError,
    UnexpectedAnswerError,
    problem_error,
)
from doneyet.client.retry import Backoff, Deadline

COME_AGAIN_S = 1.0
"""How long to wait before a stream that the server has ended is begun anew."""


class Event(NamedTuple):
    """What a server tells of a task."""

    name: str
    """`status`, `progress`, or `answer`, which is the last."""
    data: dict[str, Any]
    """`{"status", "load"}`, `{"fraction", "message"}`, or the answer object as of `Client.task`."""
    id: str
    """How far this is; it means the same to every server."""


class EventLines:
    """Puts events together from the lines of a stream."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._data: list[str] = []

    def take(self, line: bytes) -> Event | None:
        """The event that this line ends.

        Raises:
            UnexpectedAnswerError: its data is no JSON object.
        """
        if line:
            name, _, value = line.decode("utf-8", "replace").partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                self._data.append(value)
            else:
                self._fields[name] = value
            return None
        text, fields = "\n".join(self._data).strip(), self._fields
        self._data, self._fields = [], {}
        if not text:
            return None
        try:
            data = json.loads(text)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise UnexpectedAnswerError("an event has no JSON object; is this a doneyet server?")
        return Event(fields.get("event", "message"), data, fields.get("id", ""))


def follow(
    lines: Callable[[str, float | None], Iterator[bytes]], patience_s: float, deadline: Deadline
) -> Iterator[Event]:
    """The events of a task until its answer.

    Args:
        lines: begins a stream behind the event of this id, which is silent for so long at most.
        patience_s: how long no stream may be had, counted from the last line that came.
        deadline: when to stop.

    Raises:
        NotDoneError: the deadline is over.
        NotFoundError: the task is not there, or not any more.
        UnavailableError: no stream was to be had for `patience_s`.
        UnexpectedAnswerError: what came are no events of a doneyet server.
    """
    backoff, patience = Backoff(), Deadline(patience_s)
    last_id = ""
    latest: dict[str, Any] | None = None
    while True:
        try:
            reading = EventLines()
            left_s = None if deadline.timeout_s is None else deadline.cap(deadline.timeout_s)
            for line in lines(last_id, left_s):
                patience = Deadline(patience_s)
                event = reading.take(line)
                if deadline.passed and (event is None or event.name != "answer"):
                    raise _not_done(latest, deadline)
                if event is None:
                    continue
                backoff.reset()
                last_id = event.id or last_id
                if event.name == "gone":
                    raise _GoneError(event.data)
                latest = event.data if event.name == "status" else latest
                yield event
                if event.name == "answer":
                    return
            pause_s = backoff.next_s(COME_AGAIN_S)
        except _GoneError as gone:
            raise problem_error(gone.status, gone.problem) from None
        except UnavailableError as error:
            pause_s = backoff.next_s(error.retry_after_s)
            if patience.cap(pause_s) < pause_s and not deadline.passed:
                raise
        deadline.pause(pause_s)
        if deadline.passed:
            raise _not_done(latest, deadline)


def _not_done(latest: dict[str, Any] | None, deadline: Deadline) -> NotDoneError:
    return NotDoneError(latest, deadline.timeout_s or 0.0)


class _GoneError(Exception):
    """Raised when a stream ends since its task is gone, which no other stream would change."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__()
        self.problem = problem
        self.status = int(problem.get("status", 404))
