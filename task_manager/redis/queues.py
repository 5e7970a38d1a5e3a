"""The queues of one deployment: their keys, and calls of the scripts that work on them."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from task_manager.redis.clients import Client
from task_manager.redis.connection import Connection
from task_manager.redis.keys import Keys, version_mark, version_marks
from task_manager.redis.scripts.lua_script import Argument, Call, Given, script
from task_manager.redis.scripts.queue_slots import QueueSlots
from task_manager.redis.scripts.run import run_each, run_scripts
from task_manager.split_queues import first_queue
from task_manager.values import Limits

PUBLISH_EVERY_S = 5.0
"""How often a process says which types it knows, in which versions: so long nobody else knows of
them after Redis has lost everything."""


class UnknownLimits:
    """Those of a type that this process does not know; others submit its tasks and run them."""

    version = ""
    input_ttl_s: float | None = None
    failure_ttl_s: float | None = 60.0
    """For so long a task is known as cancelled."""
    max_attempts: int | None = None
    max_load: int | None = None
    coordinated = False


class Queues:
    """What both halves of a manager are built upon; a queue mode adds what is its own."""

    mode: ClassVar[str]
    """Whose scripts are called."""

    def __init__(self, url: str, limits: Mapping[str, Limits], prefix: str) -> None:
        self._connection = Connection(url)
        self._limits = limits
        self._keys = Keys(prefix, version_marks(limits))
        self._queues: dict[str, QueueSlots] = {}
        self._registered: set[tuple[str, str]] = set()  # owner and type
        self._published_s: dict[str, float] = {}  # when it is time again, by type

    def close(self) -> None:
        self._connection.close()

    # What a queue mode defines

    @abstractmethod
    def _own_slots(self, type_name: str, keys: Keys) -> Mapping[str, Argument]:
        """What scripts of this queue mode are told of a type's queue besides."""

    @abstractmethod
    def _load_calls(self, queues: Sequence[QueueSlots]) -> list[Call]:
        """Their replies, in a row, are waiting, running, workers and whether each is paused."""

    @abstractmethod
    def _oldest_calls(self, type_names: Sequence[str]) -> list[Call]:
        """Their replies, in a row, are how long the tasks of each type wait, ms; -1: none does."""

    @abstractmethod
    def _probe_call(self, key: str) -> Call:
        """Does what all scripts of this queue mode do, where `key` is."""

    @abstractmethod
    def _wake_keys(self, types: Sequence[str]) -> list[str]:
        """The lists that tell of new tasks."""

    # What all of them use

    def _call(
        self,
        name: str,
        *types: str,
        mode: str = "",
        owner: str = "",
        ids: list[str] | None = None,
        **given: Given,
    ) -> Call:
        """A call of a script about the queues of `types`, with slots as `given`.

        The keys of tasks follow from their `ids`, that of the claims of an `owner` from its name.
        """
        called = script(mode or self.mode, name)
        slots, keys = called.slots, self._keys
        if owner:
            given["owner"] = owner
        if owner and "claims" in slots:
            claims = [keys.claims(each, owner) for each in types]
            given["claims"] = claims if slots["claims"].is_list else claims[0]
        if ids is not None and "ids" in slots:
            given["ids"] = ids
        if ids is not None and "results" in slots:
            given["results"] = [keys.result(types[0], each) for each in ids]
        if ids is not None and "pool" in slots:
            given["pool"] = [keys.input(each) for each in ids]
        return called.call(*map(self._queue, types), **given)

    def _queue(self, type_name: str) -> QueueSlots:
        if type_name not in self._queues:
            self._queues[type_name] = self._slots_in(self._keys, type_name)
        return self._queues[type_name]

    def _queue_of_version(self, type_name: str, version: str) -> QueueSlots:
        """That of a version, which need not be this process'; nor need the type."""
        marks = {type_name: version_mark(version)}
        return self._slots_in(Keys(self._keys.prefix, marks), type_name)

    def _slots_in(self, keys: Keys, type_name: str) -> QueueSlots:
        limits = self._limits.get(type_name, UnknownLimits())
        return QueueSlots(type_name, limits, keys, self._own_slots(type_name, keys))

    def _publish_calls(self, type_names: Iterable[str]) -> list[Call]:
        """Those that make these types, and our versions of them, known, where it is time to."""
        now_s = time.monotonic()
        due = [name for name in type_names if self._published_s.get(name, -math.inf) < now_s]
        self._published_s.update(dict.fromkeys(due, now_s + PUBLISH_EVERY_S))
        calls: list[Call] = []
        for queue in due:
            version, first = self._limits[queue].version, first_queue(queue)
            calls += [
                self._call("publish", known=self._keys.versions(each), entry=version)
                for each in dict.fromkeys((queue, first))  # others look in the first one
            ]
            calls.append(self._call("publish", known=self._keys.types(), entry=first))
        return calls

    def _published_call(self, type_name: str) -> Call:
        """Its reply are the versions of a type that somebody published."""
        return self._call("published", known=self._keys.versions(type_name))

    def _run_each(self, client: Client, calls: Sequence[Call]) -> list[Any]:
        """The replies. Where a part of a cluster fails, our error is in their place; where Redis is
        no cluster it is raised."""
        if not self._connection.is_cluster:
            return run_scripts(client, calls)
        replies = run_each(client, calls)
        for place, reply in enumerate(replies):
            if isinstance(reply, Exception):
                replies[place] = self._connection.part_of(reply)
        return replies

    def _run(self, calls: Sequence[Call]) -> list[Any]:
        with self._connection.client() as client:
            return run_scripts(client, calls)
