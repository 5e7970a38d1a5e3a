"""What the random and the distributed queue mode share: all but how tasks wait."""

from __future__ import annotations

import json
import logging
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from task_manager.errors import AlreadyTerminalError, OverloadedError
from task_manager.interface import (
    Claim,
    Limits,
    Load,
    Renewal,
    Result,
    Status,
    Task,
    TaskManager,
    Watch,
)
from task_manager.redis import scripts
from task_manager.redis.completions import FinishedWatch
from task_manager.redis.connection import LONGEST_WAIT_S, Connection
from task_manager.redis.keys import KEEP_MS, Keys, version_marks
from task_manager.redis.records import OVERLOADED, UnreadableResultError, read_status
from task_manager.redis.scripts import Call

log = logging.getLogger(__name__)

_Item = TypeVar("_Item", Claim, Result)

_CRASHED = (
    "The process that ran this task died each time, so it will not be tried again; "
    "it may need more memory than there is, or crash a library."
)


class RedisManager(TaskManager):
    """The TaskManager on Redis; a queue mode adds the calls for waiting tasks."""

    def __init__(self, url: str, limits: Mapping[str, Limits], prefix: str) -> None:
        self._connection = Connection(url)
        self._limits = limits
        self._keys = Keys(prefix, version_marks(limits))
        self._registered: set[str] = set()

    # What a queue mode defines

    @abstractmethod
    def _submit_call(self, type_name: str, tasks: Sequence[Task], discard: bool) -> Call: ...

    @abstractmethod
    def _status_call(self, type_name: str, task_id: str) -> Call: ...

    @abstractmethod
    def _cancel_call(self, type_name: str, task_id: str) -> Call: ...

    @abstractmethod
    def _load_calls(self, type_names: Sequence[str]) -> list[Call]:
        """Their replies, in a row, are waiting, running and workers of each type."""

    @abstractmethod
    def _claim_call(
        self, owner: str, types: Sequence[str], limit: int, leave: int, *, suspects: bool
    ) -> Call: ...

    @abstractmethod
    def _return_call(
        self, owner: str, type_name: str, ids: Sequence[str], counted: Collection[str]
    ) -> Call: ...

    @abstractmethod
    def _forget_call(self, type_name: str, ids: Sequence[str]) -> Call: ...

    @abstractmethod
    def _wake_keys(self, types: Sequence[str]) -> list[str]: ...

    # TaskSubmitter

    def submit(
        self, tasks: Sequence[Task], *, discard: bool = False
    ) -> list[Status | OverloadedError]:
        statuses: list[Any] = self._submit(tasks, discard=discard)
        unreadable = [place for place, each in enumerate(statuses) if each is None]
        if unreadable:
            again = [tasks[place] for place in unreadable]
            _say_dropped(again[0].type, [task.id for task in again])
            for place, each in zip(unreadable, self._submit(again, discard=True), strict=True):
                statuses[place] = each
        return statuses

    def _submit(
        self, tasks: Sequence[Task], *, discard: bool
    ) -> list[Status | OverloadedError | None]:
        """As `submit`; None where there is a result that cannot be read."""
        places: dict[str, list[int]] = {}
        for place, task in enumerate(tasks):
            places.setdefault(task.type, []).append(place)
        groups = [[tasks[place] for place in group] for group in places.values()]
        calls = [self._submit_call(g[0].type, g, discard) for g in groups]
        statuses: list[Status | OverloadedError | None] = [None] * len(tasks)
        with self._connection.client() as client:
            replies = scripts.run(client, calls)
            for group, (load, *records) in zip(places.values(), replies, strict=True):
                for place, record in zip(group, records, strict=True):
                    task = tasks[place]
                    if record == OVERLOADED:
                        statuses[place] = OverloadedError(task.type, int(load))
                        continue
                    try:
                        statuses[place] = read_status(task.type, task.id, int(load), record)
                    except UnreadableResultError:
                        if discard:  # nothing is left that could be dropped
                            raise
        return statuses

    def status(self, type_name: str, task_id: str) -> Status | None:
        try:
            return self._status(type_name, task_id)
        except UnreadableResultError:
            _say_dropped(type_name, [task_id])
        with self._connection.client() as client:
            client.delete(self._keys.result(type_name, task_id))
            return self._status(type_name, task_id)

    def _status(self, type_name: str, task_id: str) -> Status | None:
        call = self._status_call(type_name, task_id)
        with self._connection.client() as client:
            load, record, *text = scripts.run(client, [call])[0]
        if record is None:
            return None
        status = read_status(type_name, task_id, int(load), record)
        status.input = text[0] if text else None
        return status

    def cancel(self, type_name: str, task_id: str) -> Status | None:
        call = self._cancel_call(type_name, task_id)
        with self._connection.client() as client:
            record = scripts.run(client, [call])[0]
            if record is None:
                return None
            if record == b"terminal":
                there = self.status(type_name, task_id)  # drops a result that cannot be read
                if there is None or not there.state.terminal:
                    return self.cancel(type_name, task_id)
                raise AlreadyTerminalError(f"task {task_id} is finished already")
            status = read_status(type_name, task_id, 0, record)
        load = self.load([type_name])[0]
        status.load = load.waiting + load.running
        return status

    def load(self, type_names: Sequence[str]) -> list[Load]:
        calls = self._load_calls(type_names)
        with self._connection.client() as client:
            counts = [int(count) for reply in scripts.run(client, calls) for count in reply]
            return [Load(name, *counts[3 * i : 3 * i + 3]) for i, name in enumerate(type_names)]

    def watch(
        self, on_finished: Callable[[Sequence[str]], None], on_connected: Callable[[bool], None]
    ) -> Watch:
        return FinishedWatch(self._connection, self._keys.finished(), on_finished, on_connected)

    def ping(self) -> None:
        self._run([self._probe_call()])

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
            with client.pubsub() as pubsub:
                pubsub.subscribe(channel)
                pubsub.get_message(timeout=LONGEST_WAIT_S)

    def close(self) -> None:
        self._connection.close()

    # TaskClaimer

    def claim(
        self,
        owner: str,
        types: Sequence[str],
        limit: int,
        wait_s: float = 0.0,
        leave: int = 0,
        *,
        suspects: bool = True,
    ) -> list[Claim]:
        call = self._claim_call(owner, types, limit, leave, suspects=suspects)
        with self._connection.claiming_client() as client:
            claims = _read_claims(scripts.run(client, [call])[0])
            if claims or wait_s <= 0:
                return claims
            keys = self._wake_keys(types)
            if client.blpop(keys, timeout=min(wait_s, LONGEST_WAIT_S)) is None:
                return []
            return _read_claims(scripts.run(client, [call])[0])

    def finish(
        self,
        owner: str,
        results: Sequence[Result],
        types: Sequence[str] = (),
        limit: int = 0,
        leave: int = 0,
        *,
        suspects: bool = True,
    ) -> list[Claim]:
        by_type = _grouped(results)
        calls = [self._finish_call(owner, name, group) for name, group in by_type]
        if limit > 0:
            calls.append(self._claim_call(owner, types, limit, leave, suspects=suspects))
        if not calls:
            return []
        with self._connection.claiming_client() as client:
            replies = scripts.run(client, calls)
            late = [
                self._forget_call(name, [task_id.decode() for task_id in reply])
                for (name, _), reply in zip(by_type, replies, strict=False)
                if reply
            ]
            claims = _read_claims(replies[-1]) if limit > 0 else []
        if late:
            self._run(late)
        return claims

    def release(self, owner: str, claims: Sequence[Claim]) -> None:
        if claims:
            self._run(
                [
                    self._return_call(owner, name, [claim.id for claim in group], ())
                    for name, group in _grouped(claims)
                ]
            )

    def renew(self, owners: Mapping[str, Sequence[str]], lease_s: float) -> Renewal:
        by_type: dict[str, list[str]] = {}
        for owner, types in owners.items():
            for name in types:
                by_type.setdefault(name, []).append(owner)
        if not by_type:
            return Renewal(frozenset(), frozenset(), {})
        calls = [self._renew_call(name, group, lease_s) for name, group in by_type.items()]
        new: set[str] = set()
        dead: set[str] = set()
        cancelled: dict[str, set[str]] = {}
        with self._connection.client() as client:
            for new_here, dead_here, told in scripts.run(client, calls):
                new.update(name.decode() for name in new_here)
                dead.update(name.decode() for name in dead_here)
                for task_id, owner in zip(told[::2], told[1::2], strict=True):
                    cancelled.setdefault(owner.decode(), set()).add(task_id.decode())
        lost = new & self._registered
        self._registered.update(owners)
        return Renewal(
            frozenset(lost),
            frozenset(dead - owners.keys()),
            {owner: frozenset(ids) for owner, ids in cancelled.items()},
        )

    def recover(
        self, owner: str, types: Sequence[str], running: Collection[str] | None = None
    ) -> int:
        # First what it holds, while others still hear that it is dead: should we end here, they
        # go on. Then nothing more can be claimed in its name, and what was meanwhile goes back.
        ended = self._return(owner, self._held(owner, types), running)
        ended += self._return(owner, self._held(owner, types, end=True), running)
        self._registered.discard(owner)
        return ended

    def release_unbegun(self, owner: str, types: Sequence[str], begun: Collection[str]) -> int:
        held = self._held(owner, types)
        unbegun = {name: [each for each in ids if each not in begun] for name, ids in held.items()}
        return self._return(owner, unbegun, ())

    def progress(self, owner: str, reports: Mapping[str, tuple[str, float, str]]) -> None:
        by_type: dict[str, list[str]] = {}
        for task_id, (name, fraction, message) in reports.items():
            by_type.setdefault(name, []).extend((task_id, f"{fraction:.4f} {message}"))
        self._run(
            [
                Call(
                    "shared/progress",
                    [self._keys.running(name), self._keys.progress(name)],
                    [owner, KEEP_MS, *pairs],
                )
                for name, pairs in by_type.items()
            ]
        )

    def take_lock(self, name: str, owner: str, ttl_s: float) -> bool:
        call = Call("shared/take_lock", [self._keys.lock(name)], [owner, ms(ttl_s)])
        return bool(self._run([call])[0])

    def release_lock(self, name: str, owner: str) -> None:
        self._run([Call("shared/release_lock", [self._keys.lock(name)], [owner])])

    # Parts

    def _probe_call(self) -> Call:
        return Call("shared/probe", [self._keys.probe()], ["", ""])

    def _held(self, owner: str, types: Sequence[str], *, end: bool = False) -> dict[str, list[str]]:
        """The ids that `owner` holds, by type; with `end` it can claim no more from then on."""
        with self._connection.client() as client:
            pipeline = client.pipeline(transaction=False)
            for name in types if end else ():
                pipeline.zrem(self._keys.owners(name), owner)
            for name in types:
                pipeline.hkeys(self._keys.claims(name, owner))
            fields = pipeline.execute()[-len(types) :] if types else []
        return {
            name: [each.decode() for each in of_type]
            for name, of_type in zip(types, fields, strict=True)
        }

    def _return(
        self, owner: str, held: Mapping[str, Sequence[str]], counted: Collection[str] | None
    ) -> int:
        calls = []
        for name, ids in held.items():
            for start in range(0, len(ids), 500):
                part = ids[start : start + 500]
                calls.append(
                    self._return_call(owner, name, part, part if counted is None else counted)
                )
        return sum(self._run(calls)) if calls else 0

    def _run(self, calls: Sequence[Call]) -> list[Any]:
        with self._connection.client() as client:
            return scripts.run(client, calls)

    def _finish_call(self, owner: str, name: str, results: Sequence[Result]) -> Call:
        keys = self._keys
        args: list[scripts.Argument] = [owner, keys.finished()]
        for result in results:
            args += (result.id, result.state.value, ms(result.ttl_s), result.body)
        return Call(
            "shared/finish",
            [
                *(keys.running(name), keys.claims(name, owner), keys.progress(name)),
                *(keys.result(name, result.id) for result in results),
            ],
            args,
        )

    def _renew_call(self, name: str, owners: Sequence[str], lease_s: float) -> Call:
        keys = self._keys
        return Call(
            "shared/renew",
            [
                *(keys.owners(name), keys.running(name), keys.cancelled(name)),
                *(keys.claims(name, owner) for owner in owners),
            ],
            [ms(lease_s), KEEP_MS, *owners],
        )

    def _limit(self, type_name: str, name: str) -> float:
        value = getattr(self._limits[type_name], name)
        if value is None:
            raise ValueError(f"{type_name}.{name} is not set; take task types from the registry")
        return float(value)


def crashed_failure() -> str:
    """The body of a task that failed because its process died at every attempt."""
    return json.dumps({"error": {"code": "crashed", "detail": _CRASHED}})


def ms(seconds: float) -> int:
    """Whole milliseconds, at least one."""
    return max(1, round(seconds * 1000))


def _say_dropped(type_name: str, ids: Sequence[str]) -> None:
    log.warning(
        "results in Redis that cannot be read are dropped: %d, the first of %s task %s; "
        "does another program write to these keys?",
        len(ids),
        type_name,
        ids[0],
    )


def _grouped(items: Sequence[_Item]) -> list[tuple[str, list[_Item]]]:
    ordered = sorted(items, key=lambda item: item.type)
    return [(name, list(group)) for name, group in groupby(ordered, key=lambda item: item.type)]


def _read_claims(reply: Sequence[bytes]) -> list[Claim]:
    claims = []
    for at in range(0, len(reply), 4):
        task_id, queue, attempts, text = reply[at : at + 4]
        name, count = queue.decode().partition("@")[0], int(attempts)
        claims.append(Claim(task_id.decode(), name, text, count, alone=count > 1))
    return claims
