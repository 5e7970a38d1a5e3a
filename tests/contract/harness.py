"""One way to drive every queue mode: ask through its manager, let a worker work once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from doneyet.settings import Settings
from doneyet.task_types.base import TaskType
from doneyet.task_types.task_id import type_tag
from task_manager import open_task_manager
from task_manager.interface import TaskManager, TaskSubmitter
from task_manager.values import Claim, Result, State, Status, Task

INPUT_TTL_S = 30.0
RESULT_TTL_S = 60.0


@dataclass
class TypeLimits:
    """The limits of a task type of the tests."""

    version: str = "1"
    input_ttl_s: float | None = INPUT_TTL_S
    result_ttl_s: float | None = RESULT_TTL_S
    failure_ttl_s: float | None = 30.0
    max_attempts: int | None = 3
    max_load: int | None = 1000
    coordinated: bool = False


QUEUES = 3
"""Of each type, where types are split."""

ONE, OTHER = "squares", "cubes"
"""The names of the two task types; their input is {"n": int}, their output {"answer": int}."""


def task(n: int, type_name: str = ONE) -> Task:
    """The task that asks for `n`."""
    text = json.dumps({"n": n}).encode()
    kind = TaskType()
    kind.name = type_name
    return Task(kind.task_id(text), type_name, text)


def answer(n: int) -> bytes:
    """What workers of the tests answer for `n`: negative numbers fail."""
    if n < 0:
        return json.dumps({"n": n, "error": {"code": "task-failed", "detail": "negative"}}).encode()
    return json.dumps({"n": n, "answer": n * n}).encode()


class Harness(Protocol):
    """A queue mode, ready to use."""

    @property
    def manager(self) -> TaskSubmitter:
        """The manager under test."""
        ...

    runs: list[int]
    """Every input that was run so far, in the order run."""

    def work_once(self) -> list[int]:
        """Lets a worker run what waits, as far as one round goes; what this round ran."""
        ...

    def close(self) -> None: ...


HarnessMaker = Callable[[str, Mapping[str, TypeLimits]], Harness]


class RedisHarness:
    """A queue mode with both halves, and a worker that is a few lines."""

    def __init__(
        self, url: str, limits: Mapping[str, TypeLimits], queue_mode: str, split_types: str = ""
    ) -> None:
        mode, _, pick = queue_mode.partition("-")
        if pick == "split":
            pick, split_types = "fair", ",".join(f"{name}={QUEUES}" for name in limits)
        settings = Settings(
            redis_url=url, queue_mode=mode, pick=pick or "fair", split_types=split_types
        )
        self.manager: TaskManager = open_task_manager(settings, limits)
        self._types = list(limits)
        self._limits = limits
        self.runs: list[int] = []

    def work_once(self) -> list[int]:
        self.manager.renew({"worker": self._types}, lease_s=10)
        claims = self.manager.claim("worker", self._types, limit=100)
        self.manager.finish("worker", [self.result(claim) for claim in claims])
        ran = [number(claim) for claim in claims]
        self.runs += ran
        return ran

    def result(self, claim: Claim) -> Result:
        """The answer to a claim, as a worker gives it."""
        n = number(claim)
        limits = self._limits[claim.type]
        ttl_s = limits.result_ttl_s if n >= 0 else limits.failure_ttl_s
        state = State.DONE if n >= 0 else State.FAILED
        return Result(claim.id, claim.type, state, answer(n), ttl_s or 0)

    def close(self) -> None:
        self.manager.close()


def number(claim: Claim) -> int:
    """What a claim asks for."""
    return int(json.loads(claim.input)["n"])


def only(statuses: Sequence[Status | Exception]) -> Status:
    """The one status of a submit of one task that was taken."""
    (status,) = statuses
    assert isinstance(status, Status)
    return status


__all__ = ["ONE", "OTHER", "Harness", "RedisHarness", "TypeLimits", "only", "task", "type_tag"]
