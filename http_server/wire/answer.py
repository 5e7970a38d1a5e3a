"""The flat answer object as bytes, spliced from what is already JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from doneyet.task_types import TaskType
from doneyet.task_types.schemas.field_names import written_names
from task_manager.interface import State, Status

_CANCELLED = b'"error":{"code":"cancelled","detail":"somebody cancelled this task"}'


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that lacks only its load: `head` + load + `tail`."""

    head: bytes
    tail: bytes
    done: bool

    def with_load(self, load: int) -> bytes:
        """The whole answer object."""
        return b"%b%d%b" % (self.head, load, self.tail)


def compose(task_type: TaskType, status: Status, echo: bytes = b"{}") -> Answer:
    """The answer for `status`; `echo` is a JSON object of the echoed inputs, if known."""
    done = status.state.terminal
    mark = b'"done":true,"load":' if done else b'"done":false,"load":'
    if status.state is State.DONE and status.body is not None:
        head = _extended(status.body, mark)
    else:
        known = echo if status.body is None else status.body
        head = _extended(known, _joined(nulls(task_type), _extra(status), mark))
    return Answer(
        head, b',"id":"%b","status":"%b"}' % (_ascii(status.id), _ascii(status.state)), done
    )


def with_times(answer: Answer, status: Status) -> Answer:
    """`answer` with what `GET /tasks/<id>` tells beyond it."""
    more = {
        "type": status.type,
        "attempts": status.attempts,
        "submitted_at": _rfc3339(status.submitted_ms),
        "started_at": _rfc3339(status.started_ms),
        "finished_at": _rfc3339(status.finished_ms),
    }
    tail = answer.tail[:-1] + b"," + json.dumps(more, separators=(",", ":")).encode()[1:]
    return Answer(answer.head, tail, answer.done)


def at_once(task_type: TaskType, status: Status, echo: bytes) -> bytes:
    """The synchronous queue mode's answer object: echoed inputs and outputs, nothing else."""
    if status.state is State.DONE and status.body is not None:
        return status.body
    known = echo if status.body is None else status.body
    return _extended(known, _joined(nulls(task_type), _extra(status))) + b"}"


@lru_cache(maxsize=1024)
def nulls(task_type: TaskType) -> bytes:
    """`"output":null` for each output field."""
    return ",".join(f"{json.dumps(name)}:null" for name in written_names(task_type.Output)).encode()


def _extra(status: Status) -> bytes:
    """`progress` or `error`, when there is something to say that `body` doesn't."""
    if status.state is State.CANCELLED and status.body is None:
        return _CANCELLED
    if status.progress is not None and not status.state.terminal:
        fraction, message = status.progress
        told = {"fraction": fraction, "message": message}
        return b'"progress":' + json.dumps(told, separators=(",", ":")).encode()
    return b""


def _extended(json_object: bytes, members: bytes) -> bytes:
    """`json_object` without its closing brace, then `members`."""
    start = json_object.rstrip()[:-1].rstrip()
    if start == b"{" or not members:
        return start + members
    return start + b"," + members


def _joined(*members: bytes) -> bytes:
    return b",".join(part for part in members if part)


def _ascii(text: str) -> bytes:
    return text.encode("ascii")


def _rfc3339(unix_ms: int | None) -> str | None:
    if unix_ms is None:
        return None
    moment = datetime.fromtimestamp(unix_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
