"""What a task looks like as an RQ job, and an RQ job as a task: JSON everywhere, no pickle."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rq.serializers import JSONSerializer
from rq.utils import utcformat

from task_manager.interface import Limits, State, Status, Task

FUNCTION = "worker.rq_job.run"
"""What RQ's worker calls, with the task type's name and the canonical input."""

NO_TIMEOUT = -1
_STATES = {
    "queued": State.WAITING,
    "started": State.RUNNING,
    "finished": State.DONE,
    "failed": State.FAILED,
    "canceled": State.CANCELLED,
    "stopped": State.CANCELLED,
}
_DESCRIPTION_LENGTH = 100  # characters of the input that RQ's tools show


def job_fields(task: Task, limits: Limits) -> list[str | bytes | int]:
    """Field, value, field, value… of the hash that RQ keeps for a new job of `task`."""
    text = task.input.decode()
    now = utcformat(datetime.now(UTC))
    timeout_s = getattr(limits, "timeout_s", None)
    fields: dict[str, str | bytes | int] = {
        "status": "queued",
        "origin": task.type,
        "data": zlib.compress(JSONSerializer.dumps([FUNCTION, None, [task.type, text], {}])),
        "description": f"{task.type} {text[:_DESCRIPTION_LENGTH]}",
        "created_at": now,
        "enqueued_at": now,
        "ttl": whole_s(limits.input_ttl_s),
        "failure_ttl": whole_s(limits.failure_ttl_s),
        "result_ttl": whole_s(getattr(limits, "result_ttl_s", None)),
        "timeout": NO_TIMEOUT if timeout_s is None else whole_s(timeout_s),
        "retries_left": max(0, (limits.max_attempts or 1) - 1),
        "enqueue_at_front_on_retry": 1,
    }
    return [part for pair in fields.items() for part in pair]


def whole_s(seconds: float | None) -> int:
    """Whole seconds, as RQ keeps durations, never less than `seconds` and at least one."""
    return 1 if seconds is None else max(1, -int(-seconds // 1))


def encode_result(done: bool, body: bytes) -> str:
    """What RQ keeps as the return value of a job: JSON in base64, read by its own tools too."""
    return b64encode(JSONSerializer.dumps({"done": done, "body": body.decode()})).decode()


def read_input(data: bytes | None) -> bytes | None:
    """What a job asks for, read from the `data` of its hash; None where it is gone."""
    if data is None:
        return None
    _, _, (_, text), _ = JSONSerializer.loads(zlib.decompress(data))
    return str(text).encode()


def read_status(type_name: str, task_id: str, reply: Sequence[Any]) -> Status | None:
    """The status that the `status` script's reply means; None when the task is unknown."""
    load, *known = reply
    if not known:
        return None
    left_ms, pairs, *fields = known
    word, submitted, started, finished, attempts, progress, now = (*fields, *(None,) * 7)[:7]
    state = _STATES.get(word.decode(), State.WAITING)
    status = Status(task_id, type_name, state, load)
    status.attempts = int(attempts or 0)
    status.submitted_ms, status.started_ms = _ms(submitted), _ms(started)
    if state.terminal:
        status.finished_ms, status.expires_ms = _ms(finished), now + left_ms
    elif progress is not None:
        fraction, _, message = progress.decode().partition(" ")
        status.progress = (float(fraction), message)
    if state in (State.DONE, State.FAILED):
        _read_result(status, dict(zip(pairs[::2], pairs[1::2], strict=True)))
    return status


def _read_result(status: Status, result: Mapping[bytes, bytes]) -> None:
    value = result.get(b"return_value")
    if value is not None:
        told = json.loads(b64decode(value))
        status.state = State.DONE if told["done"] else State.FAILED
        status.body = told["body"].encode()
        return
    # RQ's own words: a registry's clean-up found the worker gone, or the job raised.
    status.state = State.FAILED
    text = zlib.decompress(b64decode(result.get(b"exc_string", b"") or _EMPTY)).decode()
    code = "deadly" if "AbandonedJobError" in text else "task-failed"
    last_line = text.strip().rpartition("\n")[2] or "the task failed without saying why"
    status.body = json.dumps({"error": {"code": code, "detail": last_line}}).encode()


_EMPTY = b64encode(zlib.compress(b""))


def _ms(value: bytes | None) -> int | None:
    return None if value is None else int(value)
