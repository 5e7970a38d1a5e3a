"""The strings that the Lua scripts store and return, read."""

from __future__ import annotations

from contextlib import suppress

from task_manager.interface import State, Status

OVERLOADED = b"overloaded"


class UnreadableResultError(ValueError):
    """Raised when what is stored as a task's result is none, but another program's or damaged."""


def read_status(type_name: str, task_id: str, load: int, record: bytes) -> Status:
    r"""The status that a `submit` or `status` script's reply for one task means.

    `record` is one of: "<terminal state> submitted started finished attempts expires\nbody",
    "running owner wanted_until submitted started attempts[\nfraction message]",
    "waiting [attempts submitted]"; all times in ms.

    Raises:
        UnreadableResultError: it is a result, and none of these.
    """
    try:
        return _status(type_name, task_id, load, record)
    except ValueError as error:
        raise UnreadableResultError(f"the result of {type_name} {task_id} is unreadable") from error


def _status(type_name: str, task_id: str, load: int, record: bytes) -> Status:
    head, _, rest = record.partition(b"\n")
    word, *fields = head.decode().split(" ")
    state = State(word)
    status = Status(task_id, type_name, state, load)
    if state is State.WAITING:
        if fields:
            status.attempts, status.submitted_ms = int(fields[0]), int(fields[1])
    elif state is State.RUNNING:
        status.submitted_ms, status.started_ms = int(fields[2]), int(fields[3])
        status.attempts = int(fields[4])
        with suppress(ValueError):  # a report that cannot be read is none
            fraction, _, message = rest.decode().partition(" ")
            status.progress = (float(fraction), message)
    else:
        # 0 stands for a time that is not known: the claim had been lost when the result came.
        submitted, started, finished, attempts, expires = (int(field) for field in fields)
        status.submitted_ms, status.started_ms = submitted or None, started or None
        status.finished_ms, status.attempts, status.expires_ms = finished, attempts, expires
        if state is not State.CANCELLED and not (rest.startswith(b"{") and rest.endswith(b"}")):
            raise ValueError("the body is no JSON object")
        status.body = rest or None
    return status
