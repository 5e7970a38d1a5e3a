"""Keys: one slot per type, one place that builds them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from redis.crc import key_slot

from task_manager.redis.keys import Keys
from task_manager.redis.modes.distributed import DistributedManager
from task_manager.values import Result, State
from tests.contract.harness import TypeLimits

ROOT = Path(__file__).parents[2]
NAME = "question-answering/roberta"


def test_all_keys_of_a_type_share_a_slot() -> None:
    """In a Redis Cluster every script of the distributed queue mode stays on one node."""
    manager = DistributedManager("redis://localhost:1/0", {NAME: TypeLimits()}, "doneyet")
    calls = [
        manager._call(
            "submit",
            NAME,
            ids=["id"],
            texts=[b"{}"],
            discard=False,
            awaited=False,
            askers="",
            most_bytes=1,
        ),
        manager._call("status", NAME, ids=["id"]),
        manager._call("cancel", NAME, ids=["id"]),
        *manager._load_calls([manager._queue(NAME)]),
        manager._claim_call("owner", [NAME], 1, 0, suspects=True),
        manager._call("requeue", NAME, owner="owner", ids=["id"], is_counted=[True]),
        manager._call("forget", NAME, ids=["id"]),
        manager._finish_call("owner", NAME, [Result("id", NAME, State.DONE, b"{}", 1)], None),
        *manager._oldest_calls([NAME]),
        manager._call("tallied", NAME),
        manager._call("hours", NAME),
        manager._publish_calls([NAME])[0],
        manager._published_call(NAME),
        manager._call("pause", NAME, is_paused=True),
        manager._renew_call(NAME, ["owner"], 1),
    ]
    for call in calls:
        slots = {key_slot(str(key).encode()) for key in call.keys}
        assert slots == {key_slot(NAME.encode())}, call.script.name
    manager.close()


def test_every_key_begins_with_the_prefix() -> None:
    """Two installations on one Redis do not meet."""
    keys = Keys("mine")
    made = [
        keys.result(NAME, "i"),
        keys.running(NAME),
        keys.claims(NAME, "o"),
        keys.owners(NAME),
        keys.cancelled(NAME),
        keys.progress(NAME),
        keys.traces(NAME, "i"),
        keys.rate("c"),
        keys.tally(NAME),
        keys.hours(NAME),
        keys.ended_done(NAME),
        keys.ended_failed(NAME),
        keys.ended_cancelled(NAME),
        keys.versions(NAME),
        keys.types(),
        keys.paused(NAME),
        keys.kept(),
        keys.kept_clients(),
        keys.kept_counts(),
        keys.kept_entry("e"),
        keys.lock("gpu"),
        keys.finished(),
        keys.probe(),
        keys.type_probe(NAME),
        keys.shared("session-x"),
        keys.input("i"),
        keys.counts(NAME),
        keys.pool_retry(),
        keys.pool_wake(),
        keys.waiting(NAME),
        keys.inputs(NAME),
        keys.retry(NAME),
        keys.wake(NAME),
        keys.turns(NAME),
        keys.clients(NAME),
    ]
    assert all(key.startswith("mine:") for key in made)
    assert len(set(made)) == len(made) == len(re.findall(r"    def (\w+)", keys_source()))


def keys_source() -> str:
    """The text of keys.py."""
    return (ROOT / "task_manager" / "redis" / "keys.py").read_text()


def test_every_key_tells_its_ttl() -> None:
    """The docstring of each builder names type and TTL; only the channel has none."""
    for method in re.findall(r'    def \w+\(self.*?"""(.*?)"""', keys_source(), re.DOTALL):
        assert re.match(r"(String|Hash|List|Sorted set|Channel)", method)
        assert "TTL" in method or "Kept" in method or method.startswith("Channel")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "task_manager").rglob("*.py")), ids=lambda p: p.stem
)
def test_no_other_file_builds_keys(path: Path) -> None:
    """An f-string with the prefix stands in the key files only."""
    if path.stem != "keys":
        assert not re.search(r'f".*\{(self\.)?_?prefix\}', path.read_text())
