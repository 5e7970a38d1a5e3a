"""The distributed queue mode: per task type a sorted set by when tasks expire, and one by turn.

A worker picks from its own types only: one container per model. All keys of a type share its hash
tag. Three ways to pick, of which each is a class: `fair` between clients, the `oldest`
(`ordered.py`), or one at `random`.

Fair is start-time fair queuing (Goyal, Vin and Cheng, SIGCOMM 1996) with tasks of equal cost: the
tasks of each client stand a step apart on one line, a client's first one where claims have come to.
So the first task of a newcomer is next, whoever submitted a million before; a client of weight 2
stands half as far apart; and each of five priorities has a line of its own, of which the first that
is not empty is served.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import ClassVar

from task_manager.redis.keys import Keys
from task_manager.redis.manager import RedisManager
from task_manager.redis.scripts.lua_script import Argument, Call, script
from task_manager.redis.scripts.queue_slots import QueueSlots
from task_manager.values import Limits, Promises, Task

_ASKER = attrgetter("asker")


class DistributedManager(RedisManager):
    """Waiting tasks of each type in sorted sets of their own; fair between clients."""

    promises: ClassVar[Promises] = Promises(fair=True)
    mode = "distributed"
    pick: ClassVar[str] = "fair"

    def __init__(self, url: str, limits: Mapping[str, Limits], prefix: str) -> None:
        super().__init__(url, limits, prefix)
        self._claims = itertools.count()

    def _own_slots(self, type_name: str, keys: Keys) -> Mapping[str, Argument]:
        return {"pick": self.pick}

    def _askers(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        if self.pick != "fair":
            return {"askers": ""}
        runs = itertools.groupby(tasks, _ASKER)
        lines = [f"{sum(1 for _ in run)} {p} {w} {m} {name}\n" for (name, p, w, m), run in runs]
        return {"askers": "".join(lines)}

    def _load_calls(self, queues: Sequence[QueueSlots]) -> list[Call]:
        return [script(self.mode, "load").call(queue) for queue in queues]

    def _oldest_calls(self, type_names: Sequence[str]) -> list[Call]:
        return [self._call("oldest", name) for name in type_names]

    def _probe_call(self, key: str) -> Call:
        return self._call("probe", probe=key)

    def _in_turn(self, types: Sequence[str]) -> Sequence[str]:
        # Each type is first once, so that a busy one does not starve the others.
        first = next(self._claims) % len(types)
        return [*types[first:], *types[:first]]

    def _wake_keys(self, types: Sequence[str]) -> list[str]:
        return [self._keys.wake(name) for name in types]


class DistributedRandomManager(DistributedManager):
    """As above, but each claim takes random tasks; clients and priorities make no difference."""

    promises: ClassVar[Promises] = Promises()
    pick: ClassVar[str] = "random"
