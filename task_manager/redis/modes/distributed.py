"""The distributed queue mode: per task type a sorted set, scored by when tasks expire.

A worker picks, at random, from its own types only: one container per model. All keys of a type
share its hash tag.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import ClassVar

from task_manager.interface import Limits, Promises
from task_manager.redis.manager import RedisManager
from task_manager.redis.scripts.lua_script import Argument, Call


class DistributedManager(RedisManager):
    """Waiting tasks of each type in a sorted set of their own."""

    promises: ClassVar[Promises] = Promises()
    mode = "distributed"

    def __init__(self, url: str, limits: Mapping[str, Limits], prefix: str) -> None:
        super().__init__(url, limits, prefix)
        self._claims = itertools.count()

    def _own_slots(self, type_name: str) -> Mapping[str, Argument]:
        return {"by_turn": int(self.promises.ordered)}

    def _load_calls(self, type_names: Sequence[str]) -> list[Call]:
        return [self._call("load", name) for name in type_names]

    def _probe_call(self) -> Call:
        return self._call("probe", probe=self._keys.probe())

    def _claim_call(
        self, owner: str, types: Sequence[str], limit: int, leave: int, *, suspects: bool
    ) -> Call:
        # Each type is first once, so that a busy one does not starve the others.
        first = next(self._claims) % len(types)
        types = [*types[first:], *types[:first]]
        return super()._claim_call(owner, types, limit, leave, suspects=suspects)

    def _wake_keys(self, types: Sequence[str]) -> list[str]:
        return [self._keys.wake(name) for name in types]
