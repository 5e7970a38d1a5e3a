"""What webhooks say: an event, its time, and the task as `GET /tasks/<id>` tells it."""

from __future__ import annotations

import json
import time

from doneyet.task_types import TaskType
from doneyet.task_types.ready import echo_of
from http_server.wire.answer import answer_with_times, rfc3339
from task_manager.values import Status

COMPLETED, STARTED, PROGRESS = "completed", "started", "progress"
EVENTS = (COMPLETED, STARTED, PROGRESS)
"""What can be told of a task: that it is terminal, that it runs, how far it is."""

MOST_BYTES = 20_000
"""Of a body; a larger one is made thin. Standard Webhooks recommends it."""


def event_body(event: str, task_type: TaskType, status: Status, asked: bytes) -> bytes:
    """The body that tells `event` of a task with the canonical input `asked`."""
    at_ms = {COMPLETED: status.finished_ms, STARTED: status.started_ms}.get(event)
    echo = echo_of(task_type, asked) if status.body is None else b"{}"
    data = answer_with_times(task_type, status, echo)
    body = _body(event, at_ms, data)
    return body if len(body) <= MOST_BYTES else _body(event, at_ms, _thin(status))


def _body(event: str, at_ms: int | None, data: bytes) -> bytes:
    at = json.dumps(rfc3339(at_ms or int(time.time() * 1000))).encode()
    return b'{"type":"task.%b","timestamp":%b,"data":%b}' % (event.encode(), at, data)


def _thin(status: Status) -> bytes:
    """Which task it is, and where to get the rest."""
    told = {
        "id": status.id,
        "type": status.type,
        "status": status.state.value,
        "done": status.state.terminal,
        "url": f"/tasks/{status.id}",
    }
    return json.dumps(told, separators=(",", ":")).encode()
