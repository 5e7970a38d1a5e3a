"""The flat answer object as bytes, spliced from what is already JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache

from doneyet.task_types import TaskType
from doneyet.task_types.schemas.field_names import written_names
from task_manager.values import State, Status

CANCELLED = {"code": "cancelled", "detail": "somebody cancelled this task"}
"""The error of each task that was cancelled."""


def answer(task_type: TaskType | None, status: Status, echo: bytes = b"{}") -> bytes:
    """The answer object for `status`; `echo` is a JSON object of the echoed inputs, if known.

    Without a `task_type` no output is told before there is one: which there will be is not known.
    """
    if status.state is State.DONE and status.body is not None:  # most answers: in one step
        return b'%b"done":true,"load":%d,"id":"%b","status":"done"}' % (
            _opened(status.body),
            status.load,
            status.id.encode("ascii"),
        )
    return b'%b"done":%b,"load":%d,"id":"%b","status":"%b"}' % (
        _opened(answer_at_once(task_type, status, echo)),
        b"true" if status.state.terminal else b"false",
        status.load,
        status.id.encode("ascii"),
        status.state.encode("ascii"),
    )


def answer_with_times(task_type: TaskType | None, status: Status, echo: bytes) -> bytes:
    """The answer object, with what `GET /tasks/<id>` tells beyond it."""
    more = {
        "type": status.type,
        "attempts": status.attempts,
        "submitted_at": rfc3339(status.submitted_ms),
        "started_at": rfc3339(status.started_ms),
        "finished_at": rfc3339(status.finished_ms),
    }
    return _opened(answer(task_type, status, echo)) + _dump(more)[1:]


def answer_at_once(task_type: TaskType | None, status: Status, echo: bytes) -> bytes:
    """The synchronous queue mode's answer object: echoed inputs, and the outputs or why there are
    none."""
    if status.state is State.DONE and status.body is not None:
        return status.body
    members = [part for part in (nulls(task_type), _extra(status)) if part]
    known = echo if status.body is None else status.body
    return _opened(known) + b",".join(members) + b"}" if members else known


@lru_cache(maxsize=1024)
def nulls(task_type: TaskType | None) -> bytes:
    """`"output":null` for each output field."""
    if task_type is None:
        return b""
    return ",".join(f"{json.dumps(name)}:null" for name in written_names(task_type.Output)).encode()


def _extra(status: Status) -> bytes:
    """`progress` or `error`, when there is something to say that `body` doesn't."""
    if status.state is State.CANCELLED and status.body is None:
        return b'"error":' + _dump(CANCELLED)
    if status.progress is not None and not status.state.terminal:
        fraction, message = status.progress
        told = {"fraction": fraction, "message": message}
        return b'"progress":' + _dump(told)
    return b""


def _opened(json_object: bytes) -> bytes:
    """`json_object` as far as its next member."""
    start = json_object.rstrip()[:-1].rstrip()
    return start if start == b"{" else start + b","


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def rfc3339(unix_ms: int | None) -> str | None:
    """An instant as replies tell it."""
    if unix_ms is None:
        return None
    moment = datetime.fromtimestamp(unix_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
