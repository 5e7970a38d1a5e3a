"""The distributed queue mode: per task type a sorted set, scored by when interest ends.

A worker picks, at random, from its own types only: one container per model. All keys of a type
share its hash tag.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from task_manager.interface import Limits, Promises, Task
from task_manager.redis.keys import KEEP_MS
from task_manager.redis.manager import RedisManager, crashed_failure, ms
from task_manager.redis.scripts import Call


class DistributedManager(RedisManager):
    """Waiting tasks of each type in a sorted set of their own."""

    promises: ClassVar[Promises] = Promises()
    by_turn = False
    """Whether tasks are claimed by arrival; else at random."""

    def __init__(self, url: str, limits: Mapping[str, Limits], prefix: str) -> None:
        super().__init__(url, limits, prefix)
        self._claims = itertools.count()

    def _load_calls(self, type_names: Sequence[str]) -> list[Call]:
        keys = self._keys
        return [
            Call(
                "distributed/load", [keys.waiting(name), keys.running(name), keys.owners(name)], []
            )
            for name in type_names
        ]

    def _submit_call(self, type_name: str, tasks: Sequence[Task], discard: bool) -> Call:
        keys = self._keys
        return Call(
            "distributed/submit",
            [
                *(keys.waiting(type_name), keys.inputs(type_name), keys.running(type_name)),
                *(keys.progress(type_name), keys.wake(type_name), keys.turns(type_name)),
                keys.owners(type_name),
                *(keys.result(type_name, task.id) for task in tasks),
            ],
            [
                ms(self._limit(type_name, "input_ttl_s")),
                int(self._limit(type_name, "max_load")),
                *(int(discard), keys.finished(), int(self.by_turn), keys.claims(type_name, "")),
                *(task.id for task in tasks),
                *(task.input for task in tasks),
            ],
        )

    def _status_call(self, type_name: str, task_id: str) -> Call:
        keys = self._keys
        return Call(
            "distributed/status",
            [
                *(keys.waiting(type_name), keys.inputs(type_name), keys.running(type_name)),
                *(keys.progress(type_name), keys.result(type_name, task_id)),
            ],
            [task_id, keys.claims(type_name, "")],
        )

    def _cancel_call(self, type_name: str, task_id: str) -> Call:
        keys = self._keys
        return Call(
            "distributed/cancel",
            [
                *(keys.running(type_name), keys.progress(type_name), keys.cancelled(type_name)),
                *(keys.waiting(type_name), keys.inputs(type_name), keys.turns(type_name)),
                keys.result(type_name, task_id),
            ],
            [task_id, ms(self._limit(type_name, "failure_ttl_s")), keys.finished()],
        )

    def _claim_call(
        self, owner: str, types: Sequence[str], limit: int, leave: int, *, suspects: bool
    ) -> Call:
        keys = self._keys
        # Each type is served first in its turn, so that a busy one does not starve the others.
        first = next(self._claims) % len(types)
        types = [*types[first:], *types[:first]]
        return Call(
            "distributed/claim",
            [
                key
                for name in types
                for key in (
                    *(keys.waiting(name), keys.inputs(name), keys.running(name)),
                    *(keys.claims(name, owner), keys.retry(name), keys.wake(name)),
                    *(keys.owners(name), keys.turns(name)),
                )
            ],
            [owner, limit, leave, KEEP_MS, int(self.by_turn), int(suspects), *types],
        )

    def _return_call(
        self, owner: str, type_name: str, ids: Sequence[str], counted: Collection[str]
    ) -> Call:
        keys = self._keys
        return Call(
            "distributed/return",
            [
                *(keys.running(type_name), keys.claims(type_name, owner)),
                *(keys.progress(type_name), keys.waiting(type_name), keys.inputs(type_name)),
                *(keys.retry(type_name), keys.wake(type_name), keys.turns(type_name)),
                *(keys.result(type_name, task_id) for task_id in ids),
            ],
            [
                *(owner, int(self._limit(type_name, "max_attempts"))),
                *(ms(self._limit(type_name, "failure_ttl_s")), crashed_failure(), keys.finished()),
                *(part for task_id in ids for part in (task_id, int(task_id in counted))),
            ],
        )

    def _forget_call(self, type_name: str, ids: Sequence[str]) -> Call:
        keys = self._keys
        return Call(
            "distributed/forget",
            [keys.waiting(type_name), keys.inputs(type_name), keys.turns(type_name)],
            ids,
        )

    def _wake_keys(self, types: Sequence[str]) -> list[str]:
        return [self._keys.wake(name) for name in types]
