"""Finished answers of other tasks, for task types that build upon them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from task_manager.errors import UnavailableError
from task_manager.interface import TaskSubmitter
from task_manager.values import State, Status

AGAIN_AFTER_S = 0.25


def recaller(manager: TaskSubmitter) -> Callable[[str, str], dict[str, Any] | None]:
    """What a task type's `recall` calls: (type name, task id) to the answer's JSON object, or None.

    While Redis is away it waits: without it the task that asks could not be finished either, and
    must not fail for that.
    """

    def recall(type_name: str, task_id: str) -> dict[str, Any] | None:
        status = _patient_status(manager, type_name, task_id)
        if status is None or status.state != State.DONE or status.body is None:
            return None
        answer: dict[str, Any] = json.loads(status.body)
        return answer

    return recall


def _patient_status(manager: TaskSubmitter, type_name: str, task_id: str) -> Status | None:
    while True:
        try:
            return manager.status(type_name, task_id)
        except UnavailableError:
            time.sleep(AGAIN_AFTER_S)
