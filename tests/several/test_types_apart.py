"""What a task manager does for each type by itself, where a node of a cluster is away."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from deploy.health import worker_trouble
from doneyet.settings import Settings
from task_manager.errors import PartlyUnavailableError, TypeUnavailableError, UnavailableError
from task_manager.owners import host
from task_manager.values import State, Status
from tests.contract.harness import RedisHarness, TypeLimits, only, task
from tests.helpers import wait_until
from tests.several.cluster import Cluster, Node, cluster
from tests.stopwatch import Stopwatch

AWAY, OTHERS = "first", ["second", "third"]
TYPES = [AWAY, *OTHERS]


@pytest.fixture(scope="module")
def started() -> Iterator[Cluster]:
    """Three nodes with slots and no replica, that answer while another is away."""
    with cluster(options=("--cluster-require-full-coverage", "no")) as made:
        yield made


@pytest.fixture(params=["distributed", "ordered"])
def harness(request: pytest.FixtureRequest, nodes: Cluster) -> Iterator[RedisHarness]:
    """A queue mode, with a worker that is registered for all types."""
    made = RedisHarness(nodes.url, {name: TypeLimits() for name in TYPES}, request.param)
    made.manager.renew({"worker": TYPES}, lease_s=10)
    yield made
    made.close()


@pytest.fixture
def frozen(harness: RedisHarness, nodes: Cluster) -> Iterator[Node]:
    """The node of one type, of which nobody hears anything until the test is over."""
    harness.manager.submit([task(n, name) for n in range(4) for name in TYPES])
    node = nodes.owner(f"{{{AWAY}}}")
    os.kill(node.server.pid, signal.SIGSTOP)
    yield node
    thaw(node, harness)


def thaw(node: Node, harness: RedisHarness) -> None:
    """It answers again, and the manager knows."""
    os.kill(node.server.pid, signal.SIGCONT)
    wait_until(lambda: harness.manager.reachable(TYPES) == TYPES, description="it is back")


def test_a_submit_tells_of_each_type(harness: RedisHarness, frozen: Node) -> None:
    """Those that are there are answered, in the order in which they were asked."""
    tasks = [task(n, name) for n in range(2) for name in TYPES]
    told = harness.manager.submit(tasks)
    for asked, one in zip(tasks, told, strict=True):
        assert isinstance(one, TypeUnavailableError if asked.type == AWAY else Status)
    (alone,) = harness.manager.submit([task(1, AWAY)])
    assert isinstance(alone, TypeUnavailableError)


def test_nobody_waits_for_it_again_and_again(harness: RedisHarness, frozen: Node) -> None:
    """One call finds out that it is silent; the next fail at once."""
    harness.manager.submit([task(1, AWAY)])
    stopwatch = Stopwatch()
    for _ in range(20):
        harness.manager.submit([task(1, AWAY), task(1, OTHERS[0])])
    assert stopwatch.within_s(1.0), stopwatch


def test_what_can_be_asked_about(harness: RedisHarness, frozen: Node) -> None:
    """All that is asked about those works; nothing that is asked about the other too."""
    manager = harness.manager
    assert manager.reachable(TYPES) == OTHERS
    assert [load.waiting for load in manager.load(OTHERS)] == [4, 4]
    for call in (
        lambda: manager.reachable([AWAY]),
        lambda: manager.load(TYPES),
        lambda: manager.status(AWAY, "0" * 40),
    ):
        with pytest.raises(UnavailableError):
            call()
    manager.ping()
    assert manager.memory() is not None


def test_claims_of_other_types_are_not_lost(harness: RedisHarness, frozen: Node) -> None:
    """The claim that waits for the node in vain brings them, and says of which type it is not
    known what was claimed. Those after it bring the rest."""
    manager, claims, unknown = harness.manager, [], set[str]()
    for _ in range(6):
        try:
            claims += manager.claim("worker", TYPES, limit=3)
        except PartlyUnavailableError as error:
            unknown.update(error.reasons)
            claims += error.claims
    assert unknown == {AWAY}
    assert sorted(claim.type for claim in claims) == sorted(4 * OTHERS)
    assert manager.claim("worker", TYPES, limit=3, wait_s=0.1) == []
    with pytest.raises(UnavailableError) as caught:
        manager.claim("worker", [AWAY], limit=3)
    assert not isinstance(caught.value, PartlyUnavailableError)


def test_an_idle_worker_hears_of_other_types(harness: RedisHarness, frozen: Node) -> None:
    """It does not wait where nobody answers."""
    manager = harness.manager
    for _ in range(2):
        with suppress(PartlyUnavailableError):
            while manager.claim("worker", TYPES, limit=100):
                pass
    for name in OTHERS:
        manager.submit([task(9, name)])
        (claim,) = manager.claim("worker", TYPES, limit=1, wait_s=1.0)
        assert claim.type == name


def test_results_of_other_types_are_stored(harness: RedisHarness, nodes: Cluster) -> None:
    """And it is said of which they are not, so that they are kept."""
    manager = harness.manager
    manager.submit([task(1, name) for name in TYPES])
    claims = manager.claim("worker", TYPES, limit=3)
    results = [harness.result(claim) for claim in claims]
    node = nodes.owner(f"{{{AWAY}}}")
    os.kill(node.server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(PartlyUnavailableError) as caught:
            manager.finish("worker", results)
        assert set(caught.value.reasons) == {AWAY}
        for name in OTHERS:
            assert only(manager.submit([task(1, name)])).state is State.DONE
        manager.submit([task(2, OTHERS[0])])
        with pytest.raises(PartlyUnavailableError) as caught:
            manager.finish("worker", results, OTHERS, limit=5)
        assert [claim.type for claim in caught.value.claims] == OTHERS[:1]
        with pytest.raises(PartlyUnavailableError):
            manager.release("worker", claims)
        with pytest.raises(PartlyUnavailableError):
            manager.progress("worker", {each.id: (each.type, 0.5, "") for each in claims})
    finally:
        thaw(node, harness)

    def is_stored() -> bool:  # the client that claims finds out for itself that it is back
        with suppress(UnavailableError):
            manager.finish("worker", results)
            return True
        return False

    wait_until(is_stored, description="all are stored")
    assert only(manager.submit([task(1, AWAY)])).state is State.DONE


def test_leases_of_other_types_are_kept(harness: RedisHarness, nodes: Cluster) -> None:
    """Whoever renewed nothing at a node that was away is dead there alone."""
    manager = harness.manager
    manager.submit([task(1, name) for name in TYPES])
    assert len(manager.claim("worker", TYPES, limit=3)) == 3
    node = nodes.owner(f"{{{AWAY}}}")
    os.kill(node.server.pid, signal.SIGSTOP)
    try:
        wait_until(
            lambda: set(manager.renew({"worker": TYPES}, lease_s=0.3).away) == {AWAY},
            description="it is away",
        )
        with pytest.raises(UnavailableError):
            manager.renew({"worker": [AWAY]}, lease_s=0.3)
        with pytest.raises(PartlyUnavailableError) as caught:
            manager.recover("other", TYPES)
        assert set(caught.value.reasons) == {AWAY}
    finally:
        thaw(node, harness)
    manager.renew({"worker": OTHERS}, lease_s=10)
    renewal = wait_until(
        lambda: manager.renew({"other": TYPES}, lease_s=10).dead, description="one is dead"
    )
    if renewal != {"worker": {AWAY}}:  # where its first lease of 10 s is not over yet
        raise AssertionError(renewal)
    assert manager.recover("worker", [AWAY]) == 1
    assert only(manager.submit([task(1, AWAY)])).state is State.WAITING
    assert only(manager.submit([task(1, OTHERS[0])])).state is State.RUNNING


def test_a_worker_is_healthy_while_some_type_is_there(harness: RedisHarness, frozen: Node) -> None:
    """To start it anew would not bring the node back."""
    settings = Settings(
        redis_url=frozen_url(harness), queue_mode="distributed", tasks="tests.several.several_tasks"
    )
    assert "no worker process" in worker_trouble(settings)
    harness.manager.renew({f"{host()}-1": OTHERS}, lease_s=10)
    assert worker_trouble(settings) == ""


def frozen_url(harness: RedisHarness) -> str:
    """Of the cluster."""
    return harness.manager._connection._url  # type: ignore[attr-defined,no-any-return]


def test_news_comes_from_the_others(harness: RedisHarness, frozen: Node) -> None:
    """Whatever node the subscription was at."""
    with suppress(PartlyUnavailableError):
        harness.manager.claim("worker", TYPES, limit=100)
    heard: list[str] = []
    watch = harness.manager.watch(heard.extend, lambda _connected: None)
    asked = task(77, OTHERS[0])
    try:

        def is_heard() -> bool:
            harness.manager.submit([asked], discard=True)
            harness.work_once()
            return asked.id in heard

        wait_until(is_heard, description="it is heard of")
    finally:
        watch.close()
