"""The strings that the Lua scripts store and return, by field names: `lua/parts/*_record.lua`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from task_manager.values import Claim, State, Status

OVERLOADED = b"overloaded"
CLIENT_FULL = b"full"
LATER = b"later"
TERMINAL = b"terminal"


class RunningRecord(NamedTuple):
    """What is stored of a running task; `turn` is there in the ordered queue mode."""

    owner: str
    kept_until_ms: str
    submitted_ms: str
    started_ms: str
    attempts: str
    turn: str = ""


class ResultRecord(NamedTuple):
    """What is stored of a terminal task before its body; 0 stands for a time that is not known: the
    claim had been lost when the result came."""

    submitted_ms: str
    started_ms: str
    finished_ms: str
    attempts: str
    expires_ms: str


class UnreadableResultError(ValueError):
    """Raised when what is stored as a task's result is none, but another program's or damaged."""


def read_status(type_name: str, task_id: str, load: int, record: bytes) -> Status:
    r"""The status that a `submit` or `status` script's reply for one task means.

    `record` is one of: "<terminal state> <result record>\nbody",
    "running <running record>[\nfraction message]", "waiting [attempts submitted]"; all times in ms.

    Raises:
        UnreadableResultError: it is a result, and none of these.
    """
    try:
        return _status(type_name, task_id, load, record)
    except (ValueError, TypeError) as error:
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
        running = RunningRecord(*fields)
        status.submitted_ms, status.started_ms = int(running.submitted_ms), int(running.started_ms)
        status.attempts = int(running.attempts)
        with suppress(ValueError):  # a report that cannot be read is none
            fraction, _, message = rest.decode().partition(" ")
            status.progress = (float(fraction), message)
    else:
        result = ResultRecord(*fields)
        status.submitted_ms = int(result.submitted_ms) or None
        status.started_ms = int(result.started_ms) or None
        status.finished_ms, status.attempts = int(result.finished_ms), int(result.attempts)
        status.expires_ms = int(result.expires_ms)
        if state is not State.CANCELLED and not (rest.startswith(b"{") and rest.endswith(b"}")):
            raise ValueError("the body is no JSON object")
        status.body = rest or None
    return status


def report_record(fraction: float, message: str) -> str:
    """How far a running task is, as it is stored."""
    return f"{fraction:.4f} {message}"


def read_claims(reply: Sequence[bytes]) -> list[Claim]:
    """The claims that a `claim` script's reply means: id, queue, attempts and input of each."""
    claims = []
    for at in range(0, len(reply), 4):
        task_id, queue, attempts, text = reply[at : at + 4]
        name, count = queue.decode().partition("@")[0], int(attempts)
        claims.append(Claim(task_id.decode(), name, text, count, alone=count > 1))
    return claims
