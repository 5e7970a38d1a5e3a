"""The random queue mode: one TTL-expiring key per waiting task, in a database of their own.

`RANDOMKEY` picks, so that no client can crowd out another by arriving first. Tasks expire on whole
seconds (rounded up), so that waiting tasks can be counted per type although their keys expire by
themselves: `counts` counts them by the second in which they do. Each task says in which count it
is, so that those of a count that was lost are counted again when they are submitted again; and no
type has more waiting tasks than there are inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from task_manager.redis.keys import Keys
from task_manager.redis.lookups import Home
from task_manager.redis.manager import RedisManager
from task_manager.redis.scripts.lua_script import Argument, Call, script
from task_manager.redis.scripts.queue_slots import QueueSlots
from task_manager.values import Limits, Promises


class RandomManager(RedisManager):
    """Waiting tasks of all types in one pool; one kind of worker that serves all types."""

    promises: ClassVar[Promises] = Promises(lists_waiting=False)
    mode = "random"

    def __init__(self, url: str, limits: Mapping[str, Limits], prefix: str, input_db: int) -> None:
        super().__init__(url, limits, prefix)
        self._databases = self._connection.db, input_db
        if self._connection.db == input_db:
            raise ValueError(
                f"waiting inputs need a database of their own, but both the Redis URL and "
                f"DONEYET_INPUT_DB name database {input_db}"
            )

    def _own_slots(self, type_name: str, keys: Keys) -> Mapping[str, Argument]:
        return {
            "main_db": self._databases[0],
            "input_db": self._databases[1],
            "queue": f"{type_name}@{keys.marks.get(type_name, '')}",
            "input_prefix": self._keys.input(""),
            "retry": self._keys.pool_retry(),
            "wake": self._keys.pool_wake(),
        }

    def _homes_of_unknown(self, type_name: str, versions: Sequence[str]) -> Iterator[Home]:
        for version in versions:  # supervisors may run it
            yield Home(self._queue_of_version(type_name, version), version, "distributed")

    def _load_calls(self, queues: Sequence[QueueSlots]) -> list[Call]:
        main_db, input_db = self._databases
        load = script(self.mode, "load")
        return [load.call(*queues, main_db=main_db, input_db=input_db)] if queues else []

    def _oldest_calls(self, type_names: Sequence[str]) -> list[Call]:
        main_db, input_db = self._databases
        return [self._call("oldest", *type_names, main_db=main_db, input_db=input_db)]

    def _probe_call(self, key: str) -> Call:
        main_db, input_db = self._databases
        return self._call("probe", probe=key, main_db=main_db, input_db=input_db)

    def _wake_keys(self, types: Sequence[str]) -> list[str]:
        return [self._keys.pool_wake()]
