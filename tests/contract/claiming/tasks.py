"""How tasks are, and results for them."""

from __future__ import annotations

from collections.abc import Callable

from task_manager.values import Result, State
from tests.contract.harness import (
    ONE,
    OTHER,
    RedisHarness,
    answer,
    task,
)

MakeHarness = Callable[..., RedisHarness]


TYPES = [ONE, OTHER]


def running_ids(harness: RedisHarness, *numbers: int) -> list[str]:
    """The ids of those tasks that are running."""
    return [n_id for n in numbers if state(harness, n) is State.RUNNING for n_id in [task(n).id]]


def state(harness: RedisHarness, n: int) -> State | None:
    """How the task for `n` is."""
    status = harness.manager.status(ONE, task(n).id)
    return status.state if status else None


def done(n: int) -> Result:
    """A good result for `n`."""
    return Result(task(n).id, ONE, State.DONE, answer(n), 60)


def failed(n: int) -> Result:
    """A failure for `n`."""
    return Result(task(n).id, ONE, State.FAILED, b'{"error": {}}', 60)
