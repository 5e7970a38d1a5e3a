"""What scripts are told of a task type's queue, by the names of their slots."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from task_manager.redis.keys import KEEP_MS, Keys
from task_manager.redis.scripts.lua_script import Argument
from task_manager.values import Limits

_CRASHED = (
    "The process that ran this task died each time, so it will not be tried again; "
    "it may need more memory than there is, or crash a library."
)


class QueueSlots(dict[str, Argument]):
    """The slots of one type's queue: its keys, its limits, and what is alike for all queues.

    Args:
        type_name: the task type.
        limits: its own.
        keys: those of the deployment.
        own: the slots that the queue mode alone has, or has instead.
    """

    def __init__(
        self, type_name: str, limits: Limits, keys: Keys, own: Mapping[str, Argument]
    ) -> None:
        super().__init__(
            queue=type_name,
            channel=keys.finished(),
            claims_prefix=keys.claims(type_name, ""),
            result_prefix=keys.result(type_name, ""),
            keep_ms=KEEP_MS,
            failure=crashed_failure(),
        )
        self.update(own)
        self._type, self._limits, self._keys = type_name, limits, keys
        self._made: dict[str, Callable[[], Argument]] = {
            "input_ttl_ms": lambda: ms(self.limit("input_ttl_s")),
            "failure_ttl_ms": lambda: ms(self.limit("failure_ttl_s")),
            "max_load": lambda: int(self.limit("max_load")),
            "max_attempts": lambda: int(self.limit("max_attempts")),
        }

    def __missing__(self, name: str) -> Argument:
        if name in self._made:  # anew, since limits may change
            return self._made[name]()
        if not hasattr(Keys, name):
            raise KeyError(name)
        key: str = getattr(self._keys, name)(self._type)
        self[name] = key
        return key

    def of_task(self, task_id: str) -> dict[str, str]:
        """What slots that list keys of tasks have of one, whatever the script takes of it."""
        result = self._keys.result(self._type, task_id)
        return {"results": result, "pool": self._keys.input(task_id)}

    def limit(self, name: str) -> float:
        """A limit of the type.

        Raises:
            ValueError: it is not set.
        """
        value = getattr(self._limits, name)
        if value is None:
            raise ValueError(f"{self._type}.{name} is not set; take task types from the registry")
        return float(value)


def crashed_failure() -> str:
    """The body of a task that failed because its process died at every attempt."""
    return json.dumps({"error": {"code": "crashed", "detail": _CRASHED}})


def ms(seconds: float) -> int:
    """Whole milliseconds, at least one."""
    return max(1, round(seconds * 1000))
