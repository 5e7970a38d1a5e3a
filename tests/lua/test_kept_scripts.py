"""The scripts of kept tasks, one by one, on a real server."""

from __future__ import annotations

import time
from typing import Any

import redis

from task_manager.redis.scripts.lua_script import Given
from tests.helpers import wait_until
from tests.lua.conftest import RunScript

LONG_MS = 60_000
SHARED: dict[str, Given] = {name: name for name in ("kept", "kept_clients", "kept_counts")}
"""Keys, by the names of their slots."""


def keep(run: RunScript, *ids: str, finished_ms: str = "0", look_ms: int = 0, **given: Any) -> int:
    """Has entries kept for a minute, due in `look_ms`."""
    slots: dict[str, Any] = {
        **SHARED,
        "client": "c",
        "entries": [f"entry:{each}" for each in ids],
        "most": 100,
        "keep_ms": LONG_MS,
        "ids": list(ids),
        "records": [f"record {each}" for each in ids],
        "texts": [f"text {each}" for each in ids],
        "looks_ms": [look_ms] * len(ids),
        "finished_ms": [finished_ms] * len(ids),
    }
    return int(run("random/keep", **(slots | given)))


def take(run: RunScript, taker: str, *heard: str, **given: Any) -> list[str]:
    """The entries that `taker` gets."""
    slots: dict[str, Any] = {
        **SHARED,
        "entry_prefix": "entry:",
        "limit": 100,
        "most_bytes": 1000,
        "lease_ms": LONG_MS,
        "taker": taker,
        "heard": list(heard),
    }
    reply = run("random/take_kept", **(slots | given))
    return [entry.decode() for entry in reply[2::6]]


def settle(run: RunScript, entry: str, taker: str, pause_ms: int, keep_ms: int = 0) -> int:
    """Settles one entry, of a task that finished at 7."""
    return int(
        run(
            "random/settle_kept",
            **SHARED,
            entries=[f"entry:{entry}"],
            ids=[entry],
            takers=[taker],
            states=["state"],
            pauses_ms=[pause_ms],
            keeps_ms=[keep_ms],
            told_ms=["7"],
        )
    )


def test_an_entry_is_made_once(run: RunScript, client: redis.Redis) -> None:
    """However often it is asked for; all that is there expires a minute after it is over."""
    assert keep(run, "a", "b") == 2
    assert keep(run, "a", "b", "c") == 1
    assert client.zcard("kept") == 3
    for key in ("kept", "entry:a", "entry:c"):
        assert LONG_MS < client.pttl(key) <= 2 * LONG_MS
    assert keep(run, "a", keep_ms=10 * LONG_MS) == 0
    assert client.pttl("entry:a") > 9 * LONG_MS
    assert client.pttl("kept") > 9 * LONG_MS


def test_there_are_no_more_than_there_may_be(run: RunScript, client: redis.Redis) -> None:
    """What is there is kept on; of new ones all or none are."""
    keep(run, "a", "b", most=4)
    assert keep(run, "a", "c", "d", "e", most=4) == -1
    assert client.zcard("kept") == 2
    assert keep(run, "a", "b", most=2) == 0


def test_a_client_leaves_room_for_others(run: RunScript, client: redis.Redis) -> None:
    """One may have as many as are left: alone half, and a newcomer half of the rest. What is there
    is kept on, whosever it is; and what is over makes room again, however it ended."""
    assert keep(run, "a", "b", most=8) == 2
    assert keep(run, "c", "d", "e", most=8) == -2
    assert keep(run, "c", "d", most=8) == 2
    assert keep(run, "e", most=8) == -2
    assert keep(run, "a", "e", "f", most=8, client="another") == 2
    assert keep(run, "g", most=8, client="another") == -2
    assert keep(run, "g", most=8, client="third") == 1
    assert keep(run, "h", most=8, client="fourth") == 1
    assert keep(run, "i", most=8, client="fifth") == -1
    assert keep(run, "a", "h", most=8) == 0
    take(run, "x")
    assert client.hgetall("kept_counts") == {
        b"c": b"4",
        b"another": b"2",
        b"third": b"1",
        b"fourth": b"1",
    }
    for entry in "abcdefgh":
        if entry in "ah":
            client.delete(f"entry:{entry}")
        settle(run, entry, "x", -1, LONG_MS if entry in "bf" else 0)
    take(run, "y", "a", "h")
    assert client.exists("kept", "kept_clients", "kept_counts") == 0


def test_whose_entries_are_is_known_for_as_long(run: RunScript, client: redis.Redis) -> None:
    """As they are there."""
    keep(run, "a", "b", keep_ms=10 * LONG_MS)
    take(run, "x")
    settle(run, "b", "x", 0, 20 * LONG_MS)
    for key in SHARED:
        assert client.pttl(key) > 19 * LONG_MS


def test_one_takes_what_is_due(run: RunScript) -> None:
    """Nobody else does before the lease is over; then somebody does again."""
    keep(run, "a", "b")
    keep(run, "later", look_ms=LONG_MS)
    assert sorted(take(run, "x", lease_ms=50)) == ["a", "b"]
    assert take(run, "y") == []
    wait_until(lambda: sorted(take(run, "y")) == ["a", "b"], description="the lease is over")
    assert settle(run, "a", "x", 0) == 0
    assert settle(run, "a", "y", 0) == 1
    assert take(run, "x") == ["a"]


def test_what_was_heard_of_is_taken_at_once(run: RunScript) -> None:
    """Though it is not due; not while another holds it."""
    keep(run, "a", look_ms=LONG_MS)
    assert take(run, "x", "a", "unknown") == ["a"]
    assert take(run, "y", "a") == []
    settle(run, "a", "x", LONG_MS)
    assert take(run, "y", "a") == ["a"]


def test_large_inputs_are_taken_little_by_little(run: RunScript) -> None:
    """As many as fit, and one more."""
    keep(run, "a", "b", "c", texts=["1" * 600, "2" * 600, "3"])
    assert take(run, "x") == ["a", "b"]
    assert take(run, "x") == ["c"]
    keep(run, "d", "e")
    assert len(take(run, "x", limit=1)) == 1


def test_what_lost_its_entry_is_forgotten(run: RunScript, client: redis.Redis) -> None:
    """A Redis that evicts, or an entry that nobody looked at until it expired."""
    keep(run, "a")
    client.delete("entry:a")
    assert take(run, "x") == []
    assert client.zcard("kept") == 0


def test_what_was_told_is_not_told_again(run: RunScript, client: redis.Redis) -> None:
    """While its marker is there: the same end is not kept again, another end or no end is."""
    keep(run, "a")
    take(run, "x")
    assert settle(run, "a", "x", -1, LONG_MS) == 1
    assert client.zcard("kept") == 0
    assert 0 < client.pttl("entry:a") <= LONG_MS
    assert keep(run, "a", finished_ms="7") == 0
    assert keep(run, "a", finished_ms="8") == 1
    take(run, "x")
    settle(run, "a", "x", -1, LONG_MS)
    assert keep(run, "a") == 1


def test_what_runs_anew_is_kept_at_once(run: RunScript, client: redis.Redis) -> None:
    """Though its last end could not be told, so that the entry is due only in hours: nobody else
    keeps the task alive. What has not finished meanwhile is no reason to come back sooner."""
    keep(run, "a", "b")
    take(run, "x")
    settle(run, "a", "x", LONG_MS, 2 * LONG_MS)
    settle(run, "b", "x", LONG_MS)
    keep(run, "a", "b", finished_ms="7")
    assert take(run, "y") == []
    keep(run, "a", "b")
    assert take(run, "y") == ["a"]
    settle(run, "a", "y", LONG_MS)
    keep(run, "a")
    assert take(run, "z") == []


def test_what_is_kept_while_its_end_is_told_is_kept_on(run: RunScript, client: redis.Redis) -> None:
    """It may run anew. The end that was told is known, and not told again."""
    keep(run, "a", "b")
    take(run, "x")
    keep(run, "a", "b", keep_ms=10 * LONG_MS)
    settle(run, "a", "x", -1, LONG_MS)
    settle(run, "b", "x", LONG_MS)
    assert client.zcard("kept") == 2
    assert client.pttl("entry:a") > 9 * LONG_MS
    assert client.hmget("entry:a", "state", "told_ms") == [b"", b"7"]
    for entry in ("a", "b"):
        assert 0 < float(client.zscore("kept", entry) or 0) < time.time() * 1000 + 2000
    assert take(run, "y", "a", "b") == ["a", "b"]
    settle(run, "a", "y", -1, LONG_MS)
    assert client.zscore("kept", "a") is None


def test_what_is_over_leaves_nothing(run: RunScript, client: redis.Redis) -> None:
    """Where nothing was told; and an entry may be kept for longer than was asked for."""
    keep(run, "a", "b")
    take(run, "x")
    settle(run, "a", "x", -1)
    assert client.exists("entry:a") == 0
    settle(run, "b", "x", 0, 10 * LONG_MS)
    for key in ("kept", "entry:b"):
        assert client.pttl(key) > 9 * LONG_MS
