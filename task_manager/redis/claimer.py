"""Claiming from Redis: the half of the task manager for workers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import redis

from task_manager.errors import PartlyUnavailableError, UnavailableError
from task_manager.interface import TaskClaimer
from task_manager.redis.clients import Client
from task_manager.redis.connection import LONGEST_WAIT_S
from task_manager.redis.queues import Queues
from task_manager.redis.records import read_claims, report_record
from task_manager.redis.scripts.lua_script import Call
from task_manager.redis.scripts.queue_slots import ms
from task_manager.redis.scripts.run import run_scripts
from task_manager.redis.scripts.run_on_cluster import NOT_RUN, at_node
from task_manager.tally import Runs, as_text
from task_manager.values import NO_RUNS, Claim, Renewal, Result

RETURNED_AT_ONCE = 500
"""Claims of one call that ends them: scripts are to be short."""

WAIT_IN_TURN_S = 0.02
"""How long one type is waited for while others are not, on a cluster."""

_Item = TypeVar("_Item", Claim, Result)


class RedisClaimer(Queues, TaskClaimer):
    """`TaskClaimer` for every queue mode on Redis."""

    def claim(
        self,
        owner: str,
        types: Sequence[str],
        limit: int,
        wait_s: float = 0.0,
        leave: int = 0,
        *,
        suspects: bool = True,
        unless: Callable[[], bool] = lambda: False,
    ) -> list[Claim]:
        with self._connection.claiming_client() as client:
            wanted = partial(
                self._claim, client, owner, types, limit=limit, leave=leave, suspects=suspects
            )
            _, claims, away = wanted()
            if not (claims or away or wait_s <= 0):
                if not self._woken(client, types, min(wait_s, LONGEST_WAIT_S)) or unless():
                    return []
                _, claims, away = wanted()
        _raise_if(away, types, claims)
        return claims

    def finish(
        self,
        owner: str,
        results: Sequence[Result],
        types: Sequence[str] = (),
        limit: int = 0,
        leave: int = 0,
        *,
        suspects: bool = True,
        runs: Mapping[str, Runs] = NO_RUNS,
    ) -> list[Claim]:
        by_type = _grouped(results)
        names = [name for name, _ in by_type]
        calls = [self._finish_call(owner, name, group, runs.get(name)) for name, group in by_type]
        if not calls and limit <= 0:
            return []
        away: dict[str, UnavailableError] = {}
        with self._connection.claiming_client() as client:
            if limit > 0:
                replies, claims, away = self._claim(
                    *(client, owner, types),
                    limit=limit,
                    leave=leave,
                    suspects=suspects,
                    before=calls,
                )
            else:
                replies, claims = self._run_each(client, calls), []
            told = dict(zip(names, replies, strict=False))
            away |= _failed(told)
            late = {
                name: self._call("forget", name, ids=_late(group, told[name]))
                for name, group in by_type
                if name not in away and told[name]
            }
        if late:
            with self._connection.client() as client:
                replies = self._run_each(client, [*late.values()])
            away |= _failed(dict(zip(late, replies, strict=True)))
        _raise_if(away, {*names, *(types if limit > 0 else ())}, claims)
        return claims

    def release(self, owner: str, claims: Sequence[Claim]) -> None:
        held = {name: [claim.id for claim in group] for name, group in _grouped(claims)}
        self._type_by_type(
            [*held], lambda types: self._return(owner, {name: held[name] for name in types}, ())
        )

    def release_unbegun(self, owner: str, types: Sequence[str], begun: Collection[str]) -> int:
        def give_back(types: Sequence[str]) -> int:
            held = self._held(owner, types)
            unbegun = {name: [*{*ids} - {*begun}] for name, ids in held.items()}
            return self._return(owner, unbegun, ())

        return self._type_by_type(types, give_back)

    def renew(self, owners: Mapping[str, Sequence[str]], lease_s: float) -> Renewal:
        by_type: dict[str, list[str]] = {}
        for owner, types in owners.items():
            for name in types:
                by_type.setdefault(name, []).append(owner)
        if not by_type:
            return Renewal(frozenset(), {}, {})
        calls = [self._renew_call(name, group, lease_s) for name, group in by_type.items()]
        lost: set[str] = set()
        dead: dict[str, set[str]] = {}
        cancelled: dict[str, set[str]] = {}
        with self._connection.client() as client:
            replies = self._run_each(client, [*calls, *self._publish_calls(by_type)])
            told = dict(zip(by_type, replies, strict=False))
            away = _failed(told)
            if len(away) == len(by_type):
                raise next(iter(away.values()))
            for name in by_type.keys() - away.keys():
                new_here, dead_here, told_here = told[name]
                here = {(owner.decode(), name) for owner in new_here}
                lost.update(owner for owner, _ in here & self._registered)
                self._registered.update((owner, name) for owner in by_type[name])
                for owner in dead_here:
                    dead.setdefault(owner.decode(), set()).add(name)
                for task_id, owner in zip(told_here[::2], told_here[1::2], strict=True):
                    cancelled.setdefault(owner.decode(), set()).add(task_id.decode())
        return Renewal(
            frozenset(lost),
            {owner: frozenset(types) for owner, types in dead.items() if owner not in owners},
            {owner: frozenset(ids) for owner, ids in cancelled.items()},
            away,
        )

    def recover(
        self, owner: str, types: Sequence[str], running: Collection[str] | None = None
    ) -> int:
        def end(types: Sequence[str]) -> int:
            # First what it holds, while others still hear that it is dead: should we end here, they
            # go on. Then nothing more can be claimed in its name, and what was meanwhile goes back.
            ended = self._return(owner, self._held(owner, types), running)
            ended += self._return(owner, self._held(owner, types, end=True), running)
            self._registered.difference_update((owner, name) for name in types)
            return ended

        return self._type_by_type(types, end)

    def progress(self, owner: str, reports: Mapping[str, tuple[str, float, str]]) -> None:
        by_type: dict[str, dict[str, str]] = {}
        for task_id, (name, fraction, message) in reports.items():
            by_type.setdefault(name, {})[task_id] = report_record(fraction, message)
        calls = [
            self._call("progress", name, owner=owner, ids=[*texts], reports=[*texts.values()])
            for name, texts in by_type.items()
        ]
        with self._connection.client() as client:
            replies = self._run_each(client, calls)
        _raise_if(_failed(dict(zip(by_type, replies, strict=True))), by_type)

    def take_lock(self, name: str, owner: str, ttl_s: float) -> bool:
        lock = self._keys.lock(name)
        call = self._call("take_lock", lock=lock, owner=owner, ttl_ms=ms(ttl_s))
        return bool(self._run([call])[0])

    def release_lock(self, name: str, owner: str) -> None:
        self._run([self._call("release_lock", lock=self._keys.lock(name), owner=owner)])

    # Parts

    def _claim(
        self,
        client: Client,
        owner: str,
        types: Sequence[str],
        *,
        limit: int,
        leave: int,
        suspects: bool,
        before: Sequence[Call] = (),
    ) -> tuple[list[Any], list[Claim], dict[str, UnavailableError]]:
        """The replies to calls that come before, and the claims, in one round trip; and of which
        types nobody knows whether they were claimed.

        On a cluster, where no script may touch two slots, one more for each type but the first,
        until the limit is reached.
        """
        types = self._in_turn(types)
        if not self._connection.is_cluster:
            call = self._claim_call(owner, types, limit, leave, suspects=suspects)
            *told, found = run_scripts(client, [*before, call])
            return told, read_claims(found), {}
        replies: list[Any] = []
        claims: list[Claim] = []
        not_run: dict[str, UnavailableError] = {}
        away: dict[str, UnavailableError] = {}
        for number, name in enumerate(types):
            left = limit - len(claims)
            if left <= 0 or any(claim.alone for claim in claims):
                break
            may_be_alone = suspects and not claims
            call = self._claim_call(owner, [name], left, leave, suspects=may_be_alone)
            *told, found = self._run_each(client, [*before, call] if number == 0 else [call])
            replies += told
            if isinstance(found, UnavailableError):
                (not_run if isinstance(found.__cause__, NOT_RUN) else away)[name] = found
            else:
                claims += read_claims(found)
        if len(not_run) == len(types):
            away = not_run
        return replies, claims, away

    def _in_turn(self, types: Sequence[str]) -> Sequence[str]:
        """The types in the order in which a claim looks at them."""
        return types

    def _woken(self, client: Client, types: Sequence[str], wait_s: float) -> bool:
        """Waits for new tasks; whether there may be some.

        On a cluster nothing waits for keys of two slots, so they take turns.
        """
        keys = self._wake_keys(types)
        if not self._connection.is_cluster:
            return client.blpop(keys, timeout=wait_s) is not None
        give_up_s = time.monotonic() + wait_s
        turns = deque(keys)
        while turns and time.monotonic() < give_up_s:
            # A wait of 0 s would be one without an end.
            left_s = max(0.001, give_up_s - time.monotonic())
            one_s = WAIT_IN_TURN_S if len(turns) > 1 else left_s
            try:
                with at_node(client, turns[0]) as node:
                    if node.blpop([turns[0]], timeout=one_s):
                        return True
            except redis.RedisError:
                if len(turns) == 1:
                    raise
                turns.popleft()  # the others do not wait for it
            turns.rotate(-1)
        return False

    def _claim_call(
        self, owner: str, types: Sequence[str], limit: int, leave: int, *, suspects: bool
    ) -> Call:
        return self._call("claim", *types, owner=owner, limit=limit, leave=leave, suspects=suspects)

    def _finish_call(
        self, owner: str, name: str, results: Sequence[Result], runs: Runs | None
    ) -> Call:
        return self._call(
            "finish",
            name,
            owner=owner,
            ids=[result.id for result in results],
            states=[result.state.value for result in results],
            ttls_ms=[ms(result.ttl_s) for result in results],
            bodies=[result.body for result in results],
            runs=as_text(runs.events()) if runs else "",
        )

    def _renew_call(self, name: str, owners: list[str], lease_s: float) -> Call:
        claims = [self._keys.claims(name, owner) for owner in owners]
        return self._call("renew", name, renewed=owners, claims=claims, lease_ms=ms(lease_s))

    def _held(self, owner: str, types: Sequence[str], *, end: bool = False) -> dict[str, list[str]]:
        """The ids that `owner` holds, by type; with `end` it can claim no more from then on."""
        if not types:
            return {}
        with (
            self._connection.client() as client,
            at_node(client, self._keys.owners(types[0])) as node,
        ):
            pipeline = node.pipeline(transaction=False)
            for name in types if end else ():
                pipeline.zrem(self._keys.owners(name), owner)
            for name in types:
                pipeline.hkeys(self._keys.claims(name, owner))
            fields = pipeline.execute()[-len(types) :]
        return {
            name: [each.decode() for each in of_type]
            for name, of_type in zip(types, fields, strict=True)
        }

    def _return(
        self, owner: str, held: Mapping[str, list[str]], counted: Collection[str] | None
    ) -> int:
        """Ends claims; attempts with those `counted` (None: all) count. How many ended."""
        calls = []
        for name, ids in held.items():
            for start in range(0, len(ids), RETURNED_AT_ONCE):
                part = ids[start : start + RETURNED_AT_ONCE]
                counts = [counted is None or each in counted for each in part]
                calls.append(self._call("requeue", name, owner=owner, ids=part, is_counted=counts))
        return sum(self._run(calls)) if calls else 0

    def _type_by_type(self, types: Sequence[str], call: Callable[[Sequence[str]], int]) -> int:
        """The sum of what `call` returns for the types, of which one does not wait for another.

        Raises:
            PartlyUnavailableError: some are away.
            UnavailableError: all are.
        """
        if not self._connection.is_cluster:
            return call(types)
        total = 0
        away: dict[str, UnavailableError] = {}
        for name in types:
            try:
                total += call([name])
            except UnavailableError as error:
                away[name] = error
        _raise_if(away, types)
        return total


def _failed(told: Mapping[str, Any]) -> dict[str, UnavailableError]:
    """The types in the place of whose reply there is an error."""
    return {name: each for name, each in told.items() if isinstance(each, UnavailableError)}


def _late(results: Sequence[Result], reply: Sequence[bytes]) -> list[str]:
    """The ids of results that came late, of those that were to be stored.

    Raises:
        TypeError: some are none of them, so this is no answer, and nothing may have been stored.
    """
    ids = [task_id.decode() for task_id in reply]
    if not {result.id for result in results}.issuperset(ids):
        raise TypeError(f"finish returned {str(reply)[:40]}, which it was not given")
    return ids


def _raise_if(
    away: Mapping[str, UnavailableError], asked: Collection[str], claims: Sequence[Claim] = ()
) -> None:
    """Raises what says which of the types that were `asked` about are away, if any are."""
    if away and len(away) == len(asked):
        raise next(iter(away.values()))
    if away:
        raise PartlyUnavailableError(away, claims)


def _grouped(items: Sequence[_Item]) -> list[tuple[str, list[_Item]]]:
    ordered = sorted(items, key=lambda item: item.type)
    return [(name, list(group)) for name, group in groupby(ordered, key=lambda item: item.type)]
