"""doneyet puts anything slow behind an HTTP endpoint: POST the input until its answer is done.

    from doneyet import Client, TaskType

Importing this imports neither Flask, Redis nor a model library, and of these two names only what is
used, so that whoever has the client needs no server and the other way round.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from doneyet.client import Client
    from doneyet.task_types import TaskType

__all__ = ["Client", "TaskType"]

_HOMES = {"Client": "doneyet.client", "TaskType": "doneyet.task_types"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
