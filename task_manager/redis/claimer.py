"""Claiming from Redis: the half of the task manager for workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import cycle, groupby, takewhile
from typing import Any, TypeVar

from task_manager.interface import NO_RUNS, Claim, Renewal, Result, TaskClaimer
from task_manager.redis.clients import Client
from task_manager.redis.connection import LONGEST_WAIT_S
from task_manager.redis.queues import Queues
from task_manager.redis.records import read_claims, report_record
from task_manager.redis.scripts.lua_script import Call
from task_manager.redis.scripts.queue_slots import ms
from task_manager.redis.scripts.run import run_scripts
from task_manager.redis.scripts.run_on_cluster import NOT_RUN
from task_manager.tally import Runs, as_text

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
            _, claims = wanted()
            if claims or wait_s <= 0:
                return claims
            if not self._woken(client, types, min(wait_s, LONGEST_WAIT_S)) or unless():
                return []
            return wanted()[1]

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
        calls = [self._finish_call(owner, name, group, runs.get(name)) for name, group in by_type]
        if not calls and limit <= 0:
            return []
        with self._connection.claiming_client() as client:
            if limit > 0:
                replies, claims = self._claim(
                    *(client, owner, types),
                    limit=limit,
                    leave=leave,
                    suspects=suspects,
                    before=calls,
                )
            else:
                replies, claims = run_scripts(client, calls), []
            late = [
                self._call("forget", name, ids=[task_id.decode() for task_id in reply])
                for (name, _), reply in zip(by_type, replies, strict=False)
                if reply
            ]
        if late:
            self._run(late)
        return claims

    def release(self, owner: str, claims: Sequence[Claim]) -> None:
        held = {name: [claim.id for claim in group] for name, group in _grouped(claims)}
        self._return(owner, held, ())

    def release_unbegun(self, owner: str, types: Sequence[str], begun: Collection[str]) -> int:
        held = self._held(owner, types)
        unbegun = {name: [each for each in ids if each not in begun] for name, ids in held.items()}
        return self._return(owner, unbegun, ())

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
            replies = run_scripts(client, [*calls, *self._publish_calls(by_type)])
            for new_here, dead_here, told in replies[: len(calls)]:
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

    def progress(self, owner: str, reports: Mapping[str, tuple[str, float, str]]) -> None:
        by_type: dict[str, dict[str, str]] = {}
        for task_id, (name, fraction, message) in reports.items():
            by_type.setdefault(name, {})[task_id] = report_record(fraction, message)
        self._run(
            [
                self._call("progress", name, owner=owner, ids=[*texts], reports=[*texts.values()])
                for name, texts in by_type.items()
            ]
        )

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
    ) -> tuple[list[Any], list[Claim]]:
        """The replies to calls that come before, and the claims, in one round trip.

        On a cluster, where no script may touch two slots, one more for each type but the first,
        until the limit is reached.
        """
        types = self._in_turn(types)
        first, *others = [[name] for name in types] if self._connection.is_cluster else [types]
        call = self._claim_call(owner, first, limit, leave, suspects=suspects)
        *replies, found = run_scripts(client, [*before, call])
        claims = read_claims(found)
        for names in others:
            left = limit - len(claims)
            if left <= 0 or any(claim.alone for claim in claims):
                break
            may_be_alone = suspects and not claims
            call = self._claim_call(owner, names, left, leave, suspects=may_be_alone)
            try:
                claims += read_claims(run_scripts(client, [call])[0])
            except NOT_RUN:  # the others do not wait for it
                if not claims:
                    raise
        return replies, claims

    def _in_turn(self, types: Sequence[str]) -> Sequence[str]:
        """The types in the order in which a claim looks at them."""
        return types

    def _woken(self, client: Client, types: Sequence[str], wait_s: float) -> bool:
        """Waits for new tasks; whether there may be some.

        On a cluster nothing waits for keys of two slots, so they take turns.
        """
        keys = self._wake_keys(types)
        if not self._connection.is_cluster or len(keys) == 1:
            return client.blpop(keys, timeout=wait_s) is not None
        give_up_s = time.monotonic() + wait_s
        turns = takewhile(lambda _: time.monotonic() < give_up_s, cycle(keys))
        return any(client.blpop([key], timeout=WAIT_IN_TURN_S) for key in turns)

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


def _grouped(items: Sequence[_Item]) -> list[tuple[str, list[_Item]]]:
    ordered = sorted(items, key=lambda item: item.type)
    return [(name, list(group)) for name, group in groupby(ordered, key=lambda item: item.type)]
