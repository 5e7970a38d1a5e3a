"""The random queue mode: one TTL-expiring key per waiting task, in a database of their own.

`RANDOMKEY` picks, so that no client can crowd out another by arriving first. Interest ends on
whole seconds (rounded up), so that waiting tasks can be counted per type although their keys
expire by themselves: `wanted` counts them by the second in which they do. Each task says in which
count it is, so that those of a count that was lost are counted again when they are asked for; and
no type has more waiting tasks than there are inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from task_manager.interface import Limits, Promises, Task
from task_manager.redis.keys import KEEP_MS
from task_manager.redis.manager import RedisManager, crashed_failure, ms
from task_manager.redis.scripts import Call


class RandomManager(RedisManager):
    """Waiting tasks of all types in one pool; one kind of worker that serves all types."""

    promises = Promises()

    def __init__(self, url: str, limits: Mapping[str, Limits], prefix: str, input_db: int) -> None:
        super().__init__(url, limits, prefix)
        self._main_db, self._input_db = self._connection.db, input_db
        if self._main_db == self._input_db:
            raise ValueError(
                f"waiting inputs need a database of their own, but both the Redis URL and "
                f"DONEYET_INPUT_DB name database {input_db}"
            )

    def _load_calls(self, type_names: Sequence[str]) -> list[Call]:
        keys = [
            key
            for name in type_names
            for key in (self._keys.wanted(name), self._keys.running(name), self._keys.owners(name))
        ]
        return [Call("random/load", keys, [self._main_db, self._input_db])]

    def _probe_call(self) -> Call:
        return Call("shared/probe", [self._keys.probe()], [self._main_db, self._input_db])

    def _submit_call(self, type_name: str, tasks: Sequence[Task], discard: bool) -> Call:
        keys = self._keys
        return Call(
            "random/submit",
            [
                *(keys.wanted(type_name), keys.running(type_name), keys.progress(type_name)),
                *(keys.pool_wake(), keys.owners(type_name)),
                *(keys.result(type_name, task.id) for task in tasks),
                *(keys.input(task.id) for task in tasks),
            ],
            [
                *(self._main_db, self._input_db, self._queue(type_name)),
                ms(self._limit(type_name, "input_ttl_s")),
                int(self._limit(type_name, "max_load")),
                *(int(discard), keys.finished(), keys.claims(type_name, "")),
                *(task.id for task in tasks),
                *(task.input for task in tasks),
            ],
        )

    def _status_call(self, type_name: str, task_id: str) -> Call:
        keys = self._keys
        return Call(
            "random/status",
            [
                *(keys.wanted(type_name), keys.running(type_name), keys.progress(type_name)),
                *(keys.result(type_name, task_id), keys.input(task_id)),
            ],
            [self._main_db, self._input_db, task_id, keys.claims(type_name, "")],
        )

    def _cancel_call(self, type_name: str, task_id: str) -> Call:
        keys = self._keys
        return Call(
            "random/cancel",
            [
                *(keys.running(type_name), keys.progress(type_name), keys.cancelled(type_name)),
                *(keys.wanted(type_name), keys.result(type_name, task_id), keys.input(task_id)),
            ],
            [
                *(self._main_db, self._input_db, task_id),
                *(ms(self._limit(type_name, "failure_ttl_s")), keys.finished()),
            ],
        )

    def _claim_call(
        self, owner: str, types: Sequence[str], limit: int, leave: int, *, suspects: bool
    ) -> Call:
        keys = self._keys
        return Call(
            "random/claim",
            [
                *(keys.pool_retry(), keys.pool_wake(), keys.owners(types[0])),
                *(
                    key
                    for name in types
                    for key in (keys.running(name), keys.claims(name, owner), keys.wanted(name))
                ),
            ],
            [
                *(self._main_db, self._input_db, owner, limit, leave, KEEP_MS, keys.input("")),
                int(suspects),
                *map(self._queue, types),
            ],
        )

    def _return_call(
        self, owner: str, type_name: str, ids: Sequence[str], counted: Collection[str]
    ) -> Call:
        keys = self._keys
        return Call(
            "random/return",
            [
                *(keys.running(type_name), keys.claims(type_name, owner)),
                *(keys.progress(type_name), keys.wanted(type_name)),
                *(keys.pool_retry(), keys.pool_wake()),
                *(keys.result(type_name, task_id) for task_id in ids),
                *(keys.input(task_id) for task_id in ids),
            ],
            [
                *(self._main_db, self._input_db, owner, self._queue(type_name)),
                int(self._limit(type_name, "max_attempts")),
                ms(self._limit(type_name, "failure_ttl_s")),
                *(crashed_failure(), keys.finished()),
                *(part for task_id in ids for part in (task_id, int(task_id in counted))),
            ],
        )

    def _forget_call(self, type_name: str, ids: Sequence[str]) -> Call:
        return Call(
            "random/forget",
            [self._keys.wanted(type_name), *(self._keys.input(task_id) for task_id in ids)],
            [self._main_db, self._input_db],
        )

    def _wake_keys(self, types: Sequence[str]) -> list[str]:
        return [self._keys.pool_wake()]

    def _queue(self, type_name: str) -> str:
        """How the pool calls tasks of one type and version."""
        return f"{type_name}@{self._keys.marks[type_name]}"
