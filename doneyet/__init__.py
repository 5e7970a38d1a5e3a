"""doneyet puts anything slow behind an HTTP endpoint: POST the input until its answer is done.

    from doneyet import Client, TaskType

Importing this imports neither Flask, Redis nor a model library, and of these names only what is
used, so that whoever has the client needs no server and the other way round.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from doneyet.client import (
        AlreadyTerminalError,
        Client,
        ClientError,
        FieldError,
        InvalidInputError,
        NotDoneError,
        NotFoundError,
        ProblemError,
        SomeFailedError,
        TaskCancelledError,
        TaskFailedError,
        UnavailableError,
        UnexpectedAnswerError,
    )
    from doneyet.task_types import Job, JobContext, RunContext, TaskType

__all__ = [
    "AlreadyTerminalError",
    "Client",
    "ClientError",
    "FieldError",
    "InvalidInputError",
    "Job",
    "JobContext",
    "NotDoneError",
    "NotFoundError",
    "ProblemError",
    "RunContext",
    "SomeFailedError",
    "TaskCancelledError",
    "TaskFailedError",
    "TaskType",
    "UnavailableError",
    "UnexpectedAnswerError",
]


_OF_TASK_TYPES = frozenset({"Job", "JobContext", "RunContext", "TaskType"})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "doneyet.task_types" if name in _OF_TASK_TYPES else "doneyet.client"
    return getattr(import_module(home), name)
