"""Every script on a real cluster, where a server refuses what does not lie in one slot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from task_manager.kept import Kept, Settled
from task_manager.redis.scripts import lua_script
from task_manager.redis.scripts.lua_script import Script
from task_manager.tally import Runs
from task_manager.values import Result, State
from tests.contract.harness import RedisHarness, TypeLimits, answer, only, task
from tests.helpers import wait_until
from tests.lua.assembled import all_scripts
from tests.several.cluster import Cluster, cluster

TYPES = ("first", "second", "third")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    """Three of them, for all tests here."""
    with cluster() as made:
        yield made


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The names of the scripts that are called. Redis holds them to keys of one slot, also those
    that no call declares, since they begin with what names their language."""
    names: set[str] = set()
    call, this = Script.call, threading.current_thread()

    def noted(self: Script, *queues: Any, **given: Any) -> Any:
        if threading.current_thread() is this:  # other tests' systems may be up beside
            names.add(self.name)
        return call(self, *queues, **given)

    monkeypatch.setattr(lua_script, "_MAKERS", f"#!lua\n{lua_script._MAKERS}")
    monkeypatch.setattr(Script, "call", noted)
    lua_script.script.cache_clear()
    yield names
    lua_script.script.cache_clear()


@pytest.fixture
def make(nodes: Cluster) -> Iterator[Callable[[str], RedisHarness]]:
    """Makes a harness of one queue mode; fails the test if it leaves a key without a TTL."""
    made: list[RedisHarness] = []

    def make_harness(mode: str) -> RedisHarness:
        made.append(RedisHarness(nodes.url, {name: TypeLimits() for name in TYPES}, mode))
        return made[-1]

    yield make_harness
    for each in made:
        each.close()
    leaked = nodes.keys_without_ttl()
    nodes.flush()
    assert not leaked


@pytest.mark.parametrize("mode", ["distributed", "distributed-oldest", "distributed-random"])
def test_every_script_touches_one_slot(
    nodes: Cluster, make: Callable[[str], RedisHarness], called: set[str], mode: str
) -> None:
    """Calls about several types, which lie on different nodes, work as on one Redis."""
    assert len({nodes.owner(f"{{{name}}}") for name in TYPES}) == len(TYPES)
    harness = make(mode)
    manager = harness.manager
    manager.check()
    assert manager.renew({"worker": TYPES}, lease_s=10).lost == frozenset()
    tasks = [task(n, name) for n in range(4) for name in TYPES]
    for status in manager.submit(tasks):
        assert only([status]).state is State.WAITING
    assert [load.waiting for load in manager.load(TYPES)] == [4, 4, 4]
    assert None not in manager.oldest(TYPES)
    assert len(manager.listed(TYPES, State.WAITING, limit=20).tasks) == 12
    assert manager.cancel(TYPES[0], task(3, TYPES[0]).id)
    cancelled, _ = manager.cancel_waiting(TYPES[1], 1)
    assert len(cancelled) == 1
    _claim_and_finish(harness)
    assert [load.workers for load in manager.load(TYPES)] == [1, 1, 1]
    assert len(manager.workers(TYPES)) == 3
    assert manager.other_versions(TYPES) == []
    manager.pause(TYPES[2], paused=True)
    assert [load.paused for load in manager.load(TYPES)] == [False, False, True]
    manager.pause(TYPES[2], paused=False)
    assert [tally.type for tally in manager.tallies(TYPES)] == list(TYPES)
    assert all(manager.hours(TYPES))
    assert {each.state for each in manager.listed(TYPES, limit=50).tasks} >= {
        *(State.DONE, State.FAILED, State.CANCELLED),
    }
    assert manager.allow("somebody", 10, 1, 1)
    assert manager.take_lock("gpu", "worker", 5)
    manager.release_lock("gpu", "worker")
    _keep(harness)
    values = manager.shared_values()
    values.put("name", "text", 5)
    assert values.get("name") == "text"
    values.drop("name")
    every = {each.name for each in all_scripts() if each.name.startswith("distributed/")}
    assert called == every


def _claim_and_finish(harness: RedisHarness) -> None:
    """Claims of all types at once; some go back, one is finished late, the rest is answered."""
    manager = harness.manager
    claims = manager.claim("worker", TYPES, limit=100)
    assert {claim.type for claim in claims} == set(TYPES)
    assert len(claims) == 10
    assert manager.listed(TYPES, State.RUNNING, limit=20).tasks
    manager.progress("worker", {each.id: (each.type, 0.5, "half") for each in claims[:1]})
    status = manager.statuses(claims[0].type, [claims[0].id])[0]
    assert status is not None
    assert status.progress == (0.5, "half")
    late = claims[0]
    manager.release("worker", claims[:2])
    result = Result(late.id, late.type, State.DONE, answer(1), 30)
    assert manager.finish("worker", [result], TYPES, 1, runs={late.type: Runs()})
    failed = [Result(each.id, each.type, State.FAILED, answer(-1), 30) for each in claims[2:5]]
    manager.finish("worker", failed)
    assert manager.recover("worker", TYPES) == 6
    manager.renew({"other": TYPES, "worker": TYPES}, lease_s=10)
    suspects = [manager.claim("other", TYPES, limit=100) for _ in range(6)]
    assert [len(each) for each in suspects] == [1] * 6, "each is claimed alone, of whatever type"
    manager.finish("other", [harness.result(each) for claimed in suspects for each in claimed])
    manager.recover("other", TYPES)


def _keep(harness: RedisHarness) -> None:
    kept = harness.manager.kept()
    assert kept is not None
    asked = task(9, TYPES[0])
    kept.keep([Kept("entry", asked.id, asked.type, "1", asked.input)], 30, [0], 0.001)
    taken = wait_until(lambda: kept.take(10, 5.0).taken, description="it is due")
    kept.settle([Settled(taken[0], None)])
