"""Finished answers of other tasks, for task types that build upon them."""

from __future__ import annotations

import json
from typing import Any

from task_manager.interface import Asking, State
from tasks.base import Recall


def recaller(manager: Asking) -> Recall:
    """What a task type's `recall` calls; it raises `UnavailableError` when Redis is away."""

    def recall(type_name: str, task_id: str) -> dict[str, Any] | None:
        status = manager.status(type_name, task_id)
        if status is None or status.state != State.DONE or status.body is None:
            return None
        answer: dict[str, Any] = json.loads(status.body)
        return answer

    return recall
