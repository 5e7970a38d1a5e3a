"""One task by its id: how it is, and its end by who cancels it, for every queue mode on Redis.

An id tells the type, and nobody can tell the version by it. Where a task is not in the queue of
this process' own version, those of the versions that others published are looked through; likewise
of a type that only others know.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from task_manager.errors import AlreadyTerminalError
from task_manager.redis.clients import Client
from task_manager.redis.listings import Listings
from task_manager.redis.records import TERMINAL, UnreadableResultError, read_status
from task_manager.redis.scripts.lua_script import Call, Given, script
from task_manager.redis.scripts.queue_slots import QueueSlots, ms
from task_manager.redis.scripts.run import run_scripts
from task_manager.split_queues import queue_in_version
from task_manager.values import Status

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Home:
    """Where a task may be."""

    slots: QueueSlots
    version: str
    """"" is our own."""
    mode: str
    """Whose scripts are called."""

    def call(self, name: str, task_id: str, **given: Given) -> Call:
        """That of a script about one task here; `given` is left out where it takes none of it."""
        called = script(self.mode, name)
        keys = {slot: [key] for slot, key in self.slots.of_task(task_id).items()}
        taken = {slot: value for slot, value in {**keys, **given}.items() if slot in called.slots}
        return called.call(self.slots, ids=[task_id], **taken)


class Lookups(Listings):
    """What `TaskSubmitter` tells of tasks by their ids, and `cancel`."""

    def known_types(self) -> list[str]:
        names = self._run([self._call("published", known=self._keys.types())])[0]
        return [name.decode() for name in names]

    def status(self, type_name: str, task_id: str) -> Status | None:
        return self.statuses(type_name, [task_id])[0]

    def statuses(
        self, type_name: str, task_ids: Sequence[str], *, keep_s: float | None = None
    ) -> list[Status | None]:
        with self._connection.client() as client:
            own = self._own_home(type_name)
            found = self._statuses(client, type_name, [(task_id, own) for task_id in task_ids])
            missing = [task_id for task_id, one in zip(task_ids, found, strict=True) if one is None]
            if not missing:
                return found
            versions = self._other_versions(client, type_name)
            asked = [
                (task_id, home)
                for task_id in missing
                for home in self._homes(type_name, task_id, versions)
            ]
            told = zip(asked, self._statuses(client, type_name, asked), strict=True)
            there = [(one, home) for (_, home), one in told if one is not None]
            if keep_s is not None:
                self._keep_alive(client, there, keep_s)
            elsewhere = {one.id: one for one, _ in there}
        return [one or elsewhere.get(task_id) for task_id, one in zip(task_ids, found, strict=True)]

    def cancel(self, type_name: str, task_id: str) -> Status | None:
        with self._connection.client() as client:
            status = self._cancel(client, type_name, task_id, self._own_home(type_name))
            if status is not None:
                return status
            versions = self._other_versions(client, type_name)
            for home in self._homes(type_name, task_id, versions):
                status = self._cancel(client, type_name, task_id, home)
                if status is not None:
                    return status
        return None

    # Parts

    def _own_home(self, type_name: str) -> Home:
        return Home(self._queue(type_name), "", self.mode)

    def _other_versions(self, client: Client, type_name: str) -> list[str]:
        """Those that somebody published."""
        own = self._limits[type_name].version if type_name in self._limits else None
        published = map(bytes.decode, run_scripts(client, [self._published_call(type_name)])[0])
        return [version for version in published if version != own]

    def _homes(self, type_name: str, task_id: str, versions: Sequence[str]) -> Iterator[Home]:
        """Where a task of one of these versions may be."""
        for version in versions:
            queue = queue_in_version(type_name, version, task_id)
            yield Home(self._queue_of_version(queue, version), version, self.mode)
        if type_name not in self._limits:
            yield from self._homes_of_unknown(type_name, versions)

    def _homes_of_unknown(self, type_name: str, versions: Sequence[str]) -> Iterator[Home]:
        """Where else a task may be whose type we do not know."""
        return iter(())

    def _statuses(
        self,
        client: Client,
        type_name: str,
        asked: Sequence[tuple[str, Home]],
        *,
        drop: bool = True,
    ) -> list[Status | None]:
        """How each of these tasks is at each of these places; `drop` results that cannot be read.

        Raises:
            UnreadableResultError: one cannot, though what was there has been dropped.
        """
        if not asked:
            return []
        calls = [home.call("status", task_id) for task_id, home in asked]
        replies = [
            (int(load), record, text[0] if text else None)
            for load, record, *text in run_scripts(client, calls)
        ]
        statuses: list[Status | None] = []
        for (task_id, home), (load, record, text) in zip(asked, replies, strict=True):
            if record is None:
                statuses.append(None)
                continue
            try:
                status = read_status(type_name, task_id, load, record)
            except UnreadableResultError:
                if not drop:
                    raise
                say_dropped(type_name, [task_id])
                client.delete(home.slots.of_task(task_id)["results"])
                statuses += self._statuses(client, type_name, [(task_id, home)], drop=False)
                continue
            status.input, status.version = text, home.version
            statuses.append(status)
        return statuses

    def _keep_alive(
        self, client: Client, there: Sequence[tuple[Status, Home]], keep_s: float
    ) -> None:
        """Keeps those of these tasks alive that have not finished, and leaves their turns as they
        are. None is made anew: how many tasks may wait there is not known here."""
        as_it_is: dict[str, Given] = {"discard": False, "pick": "random", "askers": ""}
        calls = [
            home.call(
                "submit",
                one.id,
                texts=[one.input],
                input_ttl_ms=ms(keep_s),
                max_load=0,
                most_bytes=0,
                awaited=True,
                **as_it_is,
            )
            for one, home in there
            if one.input is not None
        ]
        if calls:
            run_scripts(client, calls)

    def _cancel(self, client: Client, type_name: str, task_id: str, home: Home) -> Status | None:
        """Cancels it where it is there.

        Raises:
            AlreadyTerminalError: it is finished already.
        """
        record = run_scripts(client, [home.call("cancel", task_id)])[0]
        if record == TERMINAL:
            there = self._statuses(client, type_name, [(task_id, home)])[0]  # drops what is none
            if there is None or not there.state.terminal:
                return self._cancel(client, type_name, task_id, home)
            raise AlreadyTerminalError(f"task {task_id} is finished already")
        if record is None:
            return None
        # Not in the same round trip: where Redis knows the one script alone, that would come first.
        load = run_scripts(client, [home.call("status", task_id)])[0][0]
        status = read_status(type_name, task_id, int(load), record)
        status.version = home.version
        return status


def say_dropped(type_name: str, ids: Sequence[str]) -> None:
    log.warning(
        "results in Redis that cannot be read are dropped: %d, the first of %s task %s; "
        "does another program write to these keys?",
        len(ids),
        type_name,
        ids[0],
    )
