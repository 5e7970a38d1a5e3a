"""Ids of events: each says what a client has seen of its task when it has come so far.

An id means the same on every server, so a client may come again to another one.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from task_manager.values import State, Status

GONE_ID = "gone"
_MOST_CHARACTERS = 100


class Seen(NamedTuple):
    """What was told last: of the state, and of the progress in it."""

    state: str = ""
    progress: str = ""

    @property
    def event_id(self) -> str:
        """The id of the event that told it."""
        return f"{self.state}_{self.progress}" if self.progress else self.state


NOTHING = Seen()


def seen_by(last_event_id: str | None) -> Seen:
    """What a client has seen that sends this `Last-Event-ID`; one that is not ours says nothing."""
    if not last_event_id or len(last_event_id) > _MOST_CHARACTERS:
        return NOTHING
    state, _, progress = last_event_id.partition("_")
    return Seen(state, progress)


def state_mark(status: Status) -> str:
    """What differs where there is something to tell: another state, attempt or result."""
    if status.state.terminal:
        return f"{status.state}-{status.finished_ms}"
    if status.state is State.RUNNING:
        return f"{status.state}-{status.attempts}"
    return status.state.value


def progress_mark(status: Status) -> str:
    """Likewise of the progress; empty where there is none."""
    if status.progress is None or status.state.terminal:
        return ""
    fraction, message = status.progress
    return f"{fraction:.9g}-{zlib.crc32(message.encode()):08x}"
