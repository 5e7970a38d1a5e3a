"""The strings that the Lua scripts store and return, read."""

from __future__ import annotations

from task_manager.interface import State, Status

OVERLOADED = b"overloaded"


def read_status(type_name: str, task_id: str, load: int, record: bytes) -> Status:
    r"""The status that a `submit` or `status` script's reply for one task means.

    `record` is one of: "<terminal state> submitted started finished attempts expires\nbody",
    "running owner wanted_until submitted started attempts[\nfraction message]",
    "waiting [attempts submitted]"; all times in ms.
    """
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
        if rest:
            fraction, _, message = rest.decode().partition(" ")
            status.progress = (float(fraction), message)
    else:
        # 0 stands for a time that is not known: the claim had been lost when the result came.
        submitted, started, finished, attempts, expires = (int(field) for field in fields)
        status.submitted_ms, status.started_ms = submitted or None, started or None
        status.finished_ms, status.attempts, status.expires_ms = finished, attempts, expires
        status.body = rest or None
    return status
