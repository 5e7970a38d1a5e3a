"""Kept tasks in Redis: a sorted set of entries by when they are due, and a hash of each."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Sequence
from typing import Any

from task_manager.errors import ClientKeepsTooManyError, TooManyKeptError
from task_manager.kept import (
    MOST_KEPT,
    Kept,
    KeptTasks,
    Progress,
    Round,
    Settled,
    Taken,
)
from task_manager.redis.connection import Connection
from task_manager.redis.keys import Keys
from task_manager.redis.scripts.lua_script import Call, script
from task_manager.redis.scripts.queue_slots import ms
from task_manager.redis.scripts.run import run_scripts
from task_manager.values import Asker

log = logging.getLogger(__name__)

MOST_BYTES = 16 << 20
"""Of inputs that one `take` brings, but for the last of them."""

MOST_PER_CALL = 1000
"""Entries that one call of a script makes, so that others' calls come between."""

_FIELDS = 6  # of each entry in what `take_kept` returns


class RedisKept(KeptTasks):
    """The kept tasks of a deployment; a queue mode makes no difference."""

    def __init__(self, connection: Connection, keys: Keys, mode: str) -> None:
        self._connection, self._keys, self._mode = connection, keys, mode

    def keep(
        self, entries: Sequence[Kept], keep_s: float, finished_ms: Sequence[int], look_s: float
    ) -> None:
        by_id = dict(zip((each.id for each in entries), finished_ms, strict=True))
        once = list({each.id: each for each in entries}.values())
        calls = [
            script(self._mode, "keep").call(
                **self._shared(),
                client=part[0].client,
                entries=[self._keys.kept_entry(each.id) for each in part],
                most=MOST_KEPT,
                keep_ms=ms(keep_s),
                ids=[each.id for each in part],
                records=[_record(each) for each in part],
                texts=[each.input for each in part],
                looks_ms=[0 if by_id[each.id] else ms(look_s) for each in part],
                finished_ms=[str(by_id[each.id]) for each in part],
            )
            for at in range(0, len(once), MOST_PER_CALL)
            if (part := once[at : at + MOST_PER_CALL])
        ]
        refused = [each for each in self._run(calls) if each < 0] if calls else []
        if refused:
            raise (
                TooManyKeptError(MOST_KEPT) if -1 in refused else ClientKeepsTooManyError(MOST_KEPT)
            )

    def take(self, limit: int, lease_s: float, heard: Sequence[str] = ()) -> Round:
        taker = secrets.token_hex(8)
        call = script(self._mode, "take_kept").call(
            **self._shared(),
            entry_prefix=self._keys.kept_entry(""),
            limit=limit,
            most_bytes=MOST_BYTES,
            lease_ms=ms(lease_s),
            taker=taker,
            heard=list(heard),
        )
        with self._connection.client() as client:
            total, next_ms, *rest = run_scripts(client, [call])[0]
            due_s = None if next_ms < 0 else next_ms / 1000
            taken = [
                each
                for at in range(0, len(rest), _FIELDS)
                if (each := _taken(taker, rest[at : at + _FIELDS])) is not None
            ]
            return Round(taken, int(total), due_s)

    def settle(self, settled: Sequence[Settled]) -> None:
        if not settled:
            return
        ids = [each.taken.kept.id for each in settled]
        call = script(self._mode, "settle_kept").call(
            **self._shared(),
            entries=[self._keys.kept_entry(each) for each in ids],
            ids=ids,
            takers=[each.taken.taker for each in settled],
            states=[json.dumps(each.progress) for each in settled],
            pauses_ms=[-1 if each.pause_s is None else ms(each.pause_s) for each in settled],
            keeps_ms=[ms(each.keep_s) if each.keep_s > 0 else 0 for each in settled],
            told_ms=[str(each.told_ms) for each in settled],
        )
        self._run([call])

    def _shared(self) -> dict[str, str]:
        """The keys of all entries."""
        keys = self._keys
        return {
            "kept": keys.kept(),
            "kept_clients": keys.kept_clients(),
            "kept_counts": keys.kept_counts(),
        }

    def _run(self, calls: Sequence[Call]) -> list[int]:
        with self._connection.client() as client:
            return [int(each) for each in run_scripts(client, calls)]


def _record(kept: Kept) -> str:
    """What is stored of an entry besides its input."""
    return json.dumps(
        [kept.task_id, kept.type, kept.version, kept.asker, kept.client, kept.url, kept.events],
        separators=(",", ":"),
    )


def _taken(taker: str, fields: Sequence[Any]) -> Taken | None:
    """The entry that stands in this part of a reply; None where it cannot be read, which is
    left to expire: it must not keep others from being handled."""
    entry, record, text, state, left_ms, told_ms = fields
    try:
        task_id, type_name, version, asker, client, url, events = json.loads(record)
        kept = Kept(
            *(entry.decode(), task_id, type_name, version, text),
            *(Asker(*asker), client, url, tuple(events)),
        )
        progress = Progress(*json.loads(state)) if state else Progress()
        return Taken(kept, taker, left_ms, progress, int(told_ms))
    except (ValueError, TypeError):
        log.warning("a kept task in Redis cannot be read, and is left out: %s", entry.decode())
        return None
