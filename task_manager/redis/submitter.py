"""Submitting to Redis: the half of the task manager for servers and jobs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis

from task_manager.errors import (
    ClientOverloadedError,
    LargeAnswersError,
    NoStatusError,
    OverloadedError,
    TypeUnavailableError,
    UnavailableError,
)
from task_manager.interface import TaskSubmitter, Watch
from task_manager.kept import KeptTasks
from task_manager.redis.clients import servers_there, subscription
from task_manager.redis.connection import LONGEST_WAIT_S
from task_manager.redis.finished_watch import FinishedWatch
from task_manager.redis.kept import RedisKept
from task_manager.redis.lookups import Lookups, say_dropped
from task_manager.redis.records import (
    CLIENT_FULL,
    LATER,
    OVERLOADED,
    UnreadableResultError,
    read_status,
)
from task_manager.redis.scripts.lua_script import Call
from task_manager.redis.scripts.run import run_scripts
from task_manager.redis.shared_values import RedisValues
from task_manager.shared_values import SharedValues
from task_manager.split_queues import first_queue, queues_in_version, summed_load
from task_manager.tally import Tally, read_hours, read_tally
from task_manager.values import Allowance, Load, Memory, Status, Task

MOST_ANSWERS_BYTES = 16 << 20
"""Answers that one submit tells, but for the last of them: so much memory it takes here and in
Redis."""


class RedisSubmitter(Lookups, TaskSubmitter):
    """`TaskSubmitter` for every queue mode on Redis."""

    def submit(
        self, tasks: Sequence[Task], *, discard: bool = False
    ) -> list[Status | NoStatusError]:
        statuses: list[Any] = self._submit(tasks, discard=discard)
        unreadable = [place for place, each in enumerate(statuses) if each is None]
        if unreadable:
            again = [tasks[place] for place in unreadable]
            say_dropped(again[0].type, [task.id for task in again])
            for place, each in zip(unreadable, self._submit(again, discard=True), strict=True):
                statuses[place] = each
        return statuses

    def _submit(
        self, tasks: Sequence[Task], *, discard: bool
    ) -> list[Status | NoStatusError | None]:
        """As `submit`; None where there is a result that cannot be read."""
        awaited: dict[str, list[int]] = {}
        others: dict[str, list[int]] = {}
        for place, task in enumerate(tasks):
            (awaited if task.awaited else others).setdefault(task.type, []).append(place)
        # Who waits comes first: a submit in the same round trip may run a cancelled task anew.
        groups = [*awaited.items(), *others.items()]
        calls = [
            self._call(
                "submit",
                name,
                ids=[tasks[place].id for place in group],
                texts=[tasks[place].input for place in group],
                discard=discard,
                awaited=number < len(awaited),
                most_bytes=MOST_ANSWERS_BYTES // len(groups),
                **self._askers([tasks[place] for place in group]),
            )
            for number, (name, group) in enumerate(groups)
        ]
        statuses: list[Status | NoStatusError | None] = [None] * len(tasks)
        with self._connection.client() as client:
            publish = self._publish_calls({**awaited, **others})
            replies = self._run_each(client, [*calls, *publish])
            for (_, group), reply in zip(groups, replies, strict=False):
                if isinstance(reply, UnavailableError):
                    for place in group:
                        statuses[place] = TypeUnavailableError(reply)
                    continue
                load, *records = reply
                for place, record in zip(group, records, strict=True):
                    task = tasks[place]
                    if record in _REFUSED:
                        statuses[place] = _REFUSED[record](task, int(load))
                        continue
                    try:
                        statuses[place] = read_status(task.type, task.id, int(load), record)
                    except UnreadableResultError:
                        if discard:  # nothing is left that could be dropped
                            raise
        return statuses

    def _askers(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        """What the script is told of who submits these tasks, in queue modes that ask."""
        return {}

    def load(self, type_names: Sequence[str]) -> list[Load]:
        return self._loads([(name, "") for name in type_names])

    def other_versions(self, type_names: Sequence[str]) -> list[Load]:
        names = [*dict.fromkeys(map(first_queue, type_names))]
        calls = [self._published_call(name) for name in names]
        with self._connection.client() as client:
            others = [
                (name, version)
                for name, reply in zip(names, run_scripts(client, calls), strict=True)
                for version in map(bytes.decode, reply)
                if version != self._limits[name].version
            ]
        each_queues = [queues_in_version(*each) for each in others]
        loads = iter(
            self._loads(
                [
                    (queue, version)
                    for (_, version), queues in zip(others, each_queues, strict=True)
                    for queue in queues
                ]
            )
        )
        of_each = [
            summed_load(name, [next(loads) for _ in queues])
            for (name, _), queues in zip(others, each_queues, strict=True)
        ]
        return [load for load in of_each if load.waiting + load.running + load.workers]

    def _loads(self, queues: Sequence[tuple[str, str]]) -> list[Load]:
        """Of types in versions; "" is our own."""
        calls = self._load_calls(
            [self._queue_of_version(*each) if each[1] else self._queue(each[0]) for each in queues]
        )
        if not calls:
            return []
        with self._connection.client() as client:
            counts = [int(count) for reply in run_scripts(client, calls) for count in reply]
            columns = [counts[column::4] for column in range(4)]
            return [
                Load(name, waiting, running, workers, version, paused == 1)
                for (name, version), waiting, running, workers, paused in zip(
                    queues, *columns, strict=True
                )
            ]

    def pause(self, type_name: str, *, paused: bool) -> None:
        self._run([self._call("pause", type_name, is_paused=paused)])

    def oldest(self, type_names: Sequence[str]) -> list[float | None]:
        calls = self._oldest_calls(type_names)
        with self._connection.client() as client:
            waits_ms = [int(each) for reply in run_scripts(client, calls) for each in reply]
        return [None if wait_ms < 0 else wait_ms / 1000 for wait_ms in waits_ms]

    def tallies(self, type_names: Sequence[str]) -> list[Tally]:
        calls = [self._call("tallied", name) for name in type_names]
        with self._connection.client() as client:
            replies = zip(type_names, run_scripts(client, calls), strict=True)
            return [read_tally(name, fields) for name, fields in replies]

    def hours(self, type_names: Sequence[str]) -> list[Mapping[int, Mapping[str, int]]]:
        calls = [self._call("hours", name) for name in type_names]
        with self._connection.client() as client:
            return [read_hours(fields) for fields in run_scripts(client, calls)]

    def memory(self) -> Memory | None:
        with self._connection.client() as client:
            try:
                told = [server.info("memory") for server in servers_there(client)]
            except redis.exceptions.NoPermissionError:
                return None
        each_memory = [
            Memory(int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))) for info in told
        ]
        return max(each_memory, key=lambda at: at.used_bytes / (at.limit_bytes or math.inf))

    def allow(self, client: str, requests_per_s: float, burst_s: float, wanted: int) -> Allowance:
        # Its address is nobody's business here, and its name may be of any length.
        known_as = hashlib.blake2b(client.encode(), digest_size=12).hexdigest()
        interval_us = max(1, round(1e6 / requests_per_s))
        call = self._call(
            "allow",
            rate=self._keys.rate(known_as),
            interval_us=interval_us,
            burst_us=max(interval_us, round(burst_s * 1e6)),
            wanted=wanted,
        )
        with self._connection.client() as redis_client:
            granted, wait_us = run_scripts(redis_client, [call])[0]
            return Allowance(int(granted), int(wait_us) / 1e6)

    def kept(self) -> KeptTasks:
        return RedisKept(self._connection, self._keys, self.mode)

    def shared_values(self) -> SharedValues:
        return RedisValues(self._connection, self._keys)

    def watch(
        self,
        on_finished: Callable[[Sequence[str]], None],
        on_connected: Callable[[bool], None],
        on_failed: Callable[[Exception], None] = lambda _error: None,
    ) -> Watch:
        return FinishedWatch(
            self._connection, self._keys.finished(), on_finished, on_connected, on_failed
        )

    def reachable(self, type_names: Sequence[str]) -> list[str]:
        if not self._connection.is_cluster:
            return list(type_names)
        calls = [self._published_call(name) for name in type_names]
        return self._answering(type_names, calls)

    def ping(self) -> None:
        if not self._connection.is_cluster:
            self._run([self._probe_call(self._keys.probe())])
            return
        types = list(self._limits)
        self._answering(types, [self._probe_call(self._keys.type_probe(name)) for name in types])

    def _answering(self, type_names: Sequence[str], calls: Sequence[Call]) -> list[str]:
        """Those types of which the call, one for each, works.

        Raises:
            UnavailableError: no call does.
        """
        with self._connection.client() as client:
            replies = self._run_each(client, calls)
        errors = [reply for reply in replies if isinstance(reply, UnavailableError)]
        if errors and len(errors) == len(replies):
            raise errors[0]
        return [
            name
            for name, reply in zip(type_names, replies, strict=True)
            if not isinstance(reply, UnavailableError)
        ]

    def check(self) -> None:
        self.ping()
        channel, probe = self._keys.finished(), self._keys.probe()
        with self._connection.claiming_client() as client:
            client.ping()
            client.zrem(probe, "member")
            client.hkeys(probe)
            client.blpop([probe], timeout=0.01)
            client.eval("return 1", 0)
            client.publish(channel, "")
            with subscription(client) as pubsub:
                pubsub.subscribe(channel)
                pubsub.get_message(timeout=LONGEST_WAIT_S)


_REFUSED: Mapping[bytes, Callable[[Task, int], NoStatusError]] = {
    OVERLOADED: lambda task, load: OverloadedError(task.type, load),
    CLIENT_FULL: lambda task, _: ClientOverloadedError(task.type, task.asker.max_waiting),
    LATER: lambda _task, _load: LargeAnswersError(MOST_ANSWERS_BYTES),
}
"""Replies that are no status."""
