"""The synchronous discipline's worker: runs tasks in this process, its models loaded once."""

from __future__ import annotations

import logging
from collections.abc import Callable

from task_manager.interface import Result, State, Task
from tasks import Registry
from tasks.execution import run_batch
from tasks.loading import load

log = logging.getLogger(__name__)


def load_engine(registry: Registry) -> Callable[[Task], Result]:
    """Loads every task type, then gives what answers one task of any."""
    for task_type in registry.types.values():
        log.info("loading %s", task_type.name)
        load(task_type)

    def run(task: Task) -> Result:
        task_type = registry.types[task.type]
        (answer,) = run_batch(task_type, [task.input], [task.id])
        state = State.DONE if answer.done else State.FAILED
        ttl_s = task_type.result_ttl_s if answer.done else task_type.failure_ttl_s
        return Result(task.id, task.type, state, answer.body, ttl_s or 0.0)

    return run
