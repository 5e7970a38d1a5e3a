"""A cluster at work: claims, news, slots that move, nodes that fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from deploy.health import worker_trouble
from doneyet.command.checks.redis_server import look_at_redis
from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.system import System
from doneyet.settings import Settings
from doneyet.task_types import Registry
from task_manager.errors import MisconfiguredError, TypeUnavailableError, UnavailableError
from task_manager.kept import Kept
from task_manager.owners import host
from task_manager.redis.clients import still_hears
from task_manager.redis.connection import Connection
from task_manager.redis.keys import Keys, version_mark
from task_manager.redis.trace_links import TraceLinks
from task_manager.values import State, Status
from tests.contract.harness import RedisHarness, TypeLimits, only, task
from tests.helpers import connect, wait_until
from tests.several.asking import Asking
from tests.several.cluster import TIMEOUT_MS, Cluster, Node, cluster, cluster_options
from tests.stopwatch import Stopwatch

TYPES = ("first", "second", "third")
SETTINGS = {
    "DONEYET_TASKS": "tests.several.several_tasks",
    "DONEYET_LEASE_S": "2",
    "DONEYET_INPUT_TTL_S": "15",
    "DONEYET_LOG_LEVEL": "warning",
}


@pytest.fixture(scope="module")
def started() -> Iterator[Cluster]:
    """Three nodes with slots, and a replica of each."""
    with cluster(replicas=1) as made:
        yield made


@pytest.fixture
def harness(nodes: Cluster) -> Iterator[RedisHarness]:
    """The distributed queue mode, with a worker that is registered for all types."""
    made = RedisHarness(nodes.url, {name: TypeLimits() for name in TYPES}, "distributed")
    made.manager.renew({"worker": TYPES}, lease_s=10)
    yield made
    made.close()


def other_than(node: Node, nodes: Cluster) -> Node:
    """Another one that takes writes."""
    return next(each for each in nodes.nodes if each is not node and each.is_primary)


def move(nodes: Cluster, name: str) -> None:
    """The slot of a task type is another node's afterwards."""
    source = nodes.owner(f"{{{name}}}")
    nodes.move(key_slot(name.encode()), source, other_than(source, nodes))


def blocks(node: Node) -> bool:
    """Whether somebody waits there for a key."""
    return b"blocked_clients:0\r" not in node.ask("INFO", "clients")


def test_a_claim_of_several_types(harness: RedisHarness) -> None:
    """It takes as many as it may, of whatever types, and each type is first in its turn."""
    harness.manager.submit([task(n, name) for n in range(4) for name in TYPES])
    assert len(harness.manager.claim("worker", TYPES, limit=6)) == 6
    first = [harness.manager.claim("worker", TYPES, limit=1)[0].type for _ in range(2)]
    assert len(set(first)) == 2


@pytest.mark.parametrize("name", TYPES)
def test_an_idle_worker_hears_of_each_type(
    nodes: Cluster, harness: RedisHarness, name: str
) -> None:
    """Long before its claim would have ended."""
    claimed: list[Any] = []

    def wait_for_one() -> None:
        while not claimed:  # a claim that waits is over before a busy machine has noticed
            claimed.extend(harness.manager.claim("worker", TYPES, 10, wait_s=1.0))

    thread = threading.Thread(target=wait_for_one)
    thread.start()
    wait_until(lambda: any(map(blocks, nodes.nodes)), description="it waits")
    stopwatch = Stopwatch()
    harness.manager.submit([task(1, name)])
    thread.join()
    assert [claim.type for claim in claimed] == [name]
    assert stopwatch.within_s(0.5), stopwatch


def test_news_of_all_nodes(harness: RedisHarness) -> None:
    """One subscription hears of what finishes anywhere."""
    heard: list[str] = []
    connected: list[bool] = []
    watch = harness.manager.watch(heard.extend, connected.append)
    wait_until(lambda: connected, description="it listens")
    tasks = [task(1, name) for name in TYPES]
    harness.manager.submit(tasks)
    harness.work_once()
    wait_until(lambda: set(heard) >= {each.id for each in tasks}, description="it heard of all")
    watch.close()


def test_a_node_that_left_hears_nothing_any_more(nodes: Cluster) -> None:
    """Whoever listens there is told, although it answers."""
    connection = Connection(nodes.url)
    alone = EmbeddedRedis(tcp=True, options=cluster_options())
    with alone, connect(alone.url) as elsewhere, connection.client() as client:
        for at, hears in ((elsewhere, False), (connect(nodes.nodes[0].server.url), True)):
            with at.pubsub() as pubsub:
                pubsub.subscribe("channel")
                assert still_hears(client, pubsub) is hears
    connection.close()


def test_a_slot_that_moved(nodes: Cluster, harness: RedisHarness) -> None:
    """What waited there waits at the other node; who asks finds it, in the same call."""
    name = TYPES[0]
    harness.manager.submit([task(n, each) for n in range(30) for each in TYPES])
    move(nodes, name)
    assert harness.manager.load([name])[0].waiting == 30
    assert sorted(harness.work_once()) == sorted([*range(30)] * 3)
    assert only(harness.manager.submit([task(3, name)])).state is State.DONE
    move(nodes, name)
    assert only(harness.manager.submit([task(4, name)])).state is State.DONE


@pytest.mark.parametrize("moved", [1, 2, 3, 4])
def test_a_slot_on_its_way(nodes: Cluster, harness: RedisHarness, moved: int) -> None:
    """While its keys are in two places, clients are told to come again, and nothing is lost."""
    name, slot = TYPES[0], key_slot(TYPES[0].encode())
    harness.manager.submit([task(n, name) for n in range(4)])
    running = harness.manager.claim("worker", [name], limit=2)
    source = nodes.owner(f"{{{name}}}")
    target = other_than(source, nodes)
    nodes.begin_to_move(slot, source, target)
    keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, moved * len(running))
    source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    *told, other = harness.manager.submit([*(task(n, name) for n in range(4)), task(1, TYPES[1])])
    for each in told:
        assert isinstance(each, TypeUnavailableError)
        assert not isinstance(each.reason, MisconfiguredError)
    assert isinstance(other, Status), "it is of another type, in the same round trip"
    with pytest.raises(UnavailableError) as caught:
        harness.manager.claim("worker", [name], limit=10)
    assert not isinstance(caught.value, MisconfiguredError)
    nodes.move(slot, source, target)
    states = [each.state for each in harness.manager.submit([task(n, name) for n in range(4)])]  # type: ignore[union-attr]
    assert states.count(State.RUNNING) == 2, "none that runs was taken for lost"
    assert states.count(State.WAITING) == 2
    harness.manager.finish("worker", [harness.result(each) for each in running])
    assert len(harness.work_once()) == 2 + 1


def test_other_types_do_not_wait_for_a_slot_on_its_way(
    nodes: Cluster, harness: RedisHarness
) -> None:
    """A worker of several types goes on with those whose slots are where they were."""
    late, others = TYPES[0], TYPES[1:]
    harness.manager.submit([task(n, name) for n in range(4) for name in TYPES])
    source = nodes.owner(f"{{{late}}}")
    slot, target = key_slot(late.encode()), other_than(source, nodes)
    nodes.begin_to_move(slot, source, target)
    source.ask(
        "MIGRATE",
        "127.0.0.1",
        target.port,
        Keys("doneyet", {late: version_mark("1")}).waiting(late),
        0,
        5000,
    )
    claimed: list[str] = []
    for _ in TYPES:  # in which each is first once
        with suppress(UnavailableError):
            claimed += [each.type for each in harness.manager.claim("worker", TYPES, limit=100)]
    assert sorted(claimed) == sorted(4 * others)
    nodes.move(slot, source, target)
    assert [each.type for each in harness.manager.claim("worker", TYPES, limit=100)] == [late] * 4


def test_kept_tasks_on_their_way(nodes: Cluster, harness: RedisHarness) -> None:
    """An entry that is at the new place already is no lost one."""
    kept, asked = harness.manager.kept(), task(9, TYPES[0])
    assert kept is not None
    kept.keep([Kept("entry", asked.id, asked.type, "1", asked.input)], 60, [0], 0.001)
    slot, source = key_slot(b"kept"), nodes.owner("{kept}")
    target = other_than(source, nodes)
    keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10)
    for late in keys:
        nodes.begin_to_move(slot, source, target)
        first = [key for key in keys if key != late]
        source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *first)
        with pytest.raises(UnavailableError):
            kept.take(10, 5.0)
        nodes.move(slot, source, target)
        source, target = target, source
    assert [each.kept.id for each in kept.take(10, 5.0).taken] == ["entry"]


def test_a_user_with_the_rights_of_the_docs(nodes: Cluster) -> None:
    """They suffice, and `doneyet check` finds all well; a wrong password is said to be one."""
    for node in nodes.nodes:
        rules = ("on", ">secret", "~doneyet:*", "&doneyet:*", "+@all", "-@dangerous")
        node.ask("ACL", "SETUSER", "half", *rules)
    url = nodes.url.replace("://", "://half:secret@")
    settings = Settings(redis_url=url, queue_mode="distributed")
    rows = {each.what: each for each in look_at_redis(settings, Registry({}))}
    assert rows["Redis"].state != "broken", rows  # a busy one is slow, which is noted
    assert "secret" not in rows["Redis"].text
    assert not [row for row in rows.values() if row.state == "broken"]
    connection = Connection(url.replace("secret", "wr0ng"))
    with (
        pytest.raises(MisconfiguredError, match="refuses the user or the password") as caught,
        connection.client(),
    ):
        pass
    assert "wr0ng" not in str(caught.value)
    connection.close()


def test_the_health_of_a_worker(nodes: Cluster, harness: RedisHarness) -> None:
    """A container's check finds its owner, on whatever node."""
    settings = Settings(
        redis_url=nodes.url, queue_mode="distributed", tasks="tests.several.several_tasks"
    )
    assert "no worker process" in worker_trouble(settings)
    harness.manager.renew({f"{host()}-1": TYPES[1:]}, lease_s=10)
    assert worker_trouble(settings) == ""


def test_traces_of_tasks_on_several_nodes(nodes: Cluster) -> None:
    """They are noted together, and found for each type."""
    links = TraceLinks(nodes.url, "doneyet")
    links.note([(name, "id") for name in TYPES], "00-trace-span-01")
    assert [links.of(name, ["id"]) for name in TYPES] == [["00-trace-span-01"]] * len(TYPES)
    links.close()


def test_no_node_answers(nodes: Cluster) -> None:
    """It is said, and once one of those that the URL names is there, all is well."""
    connection = Connection("redis+cluster://127.0.0.1:1,127.0.0.1:2")
    with pytest.raises(UnavailableError, match="is away") as caught, connection.client():
        pass
    assert not isinstance(caught.value, MisconfiguredError)
    connection.close()


def test_a_node_by_itself(nodes: Cluster) -> None:
    """A URL that names one node as if it were all ends a program, and says what to write."""
    connection = Connection(nodes.nodes[0].server.url)
    with (
        pytest.raises(MisconfiguredError, match=r"write .* as redis\+cluster://HOST:PORT with --d"),
        connection.client(),
    ):
        pass
    connection.close()


@pytest.mark.parametrize(
    ("mode", "split"), [("distributed", ""), ("ordered", ""), ("distributed", f"{TYPES[1]}=3")]
)
def test_a_slot_moves_and_a_node_is_killed_while_clients_ask(
    nodes: Cluster, mode: str, split: str
) -> None:
    """All are answered, and hear of nothing but answers, and 503 meanwhile."""
    nodes.fail_after(1000)
    settings = {**SETTINGS, "DONEYET_SPLIT_TYPES": split}
    with System(queue_mode=mode, redis_url=nodes.url, processes=2, settings=settings) as system:
        asking = Asking(system.url, *TYPES)
        _more_are_answered(asking)
        move(nodes, TYPES[0])
        _more_are_answered(asking)
        killed = nodes.owner(f"{{{TYPES[1]}}}")
        replica = _replica_of(killed, nodes)
        killed.server.kill()
        wait_until(lambda: replica.is_primary, description="the replica takes its place")
        _more_are_answered(asking)
        killed.server.start()
        wait_until(killed.follows, description="the node is back")
        _more_are_answered(asking)
        asking.finish()
        system.check()
    nodes.fail_after(TIMEOUT_MS)


def _more_are_answered(asking: Asking) -> None:
    before = asking.answered
    wait_until(lambda: asking.answered > before + 50, description="more are answered")


def _replica_of(primary: Node, nodes: Cluster) -> Node:
    """One that follows it."""
    for node in nodes.nodes:
        with suppress(redis.RedisError):
            role = node.ask("ROLE")
            if role[0] == b"slave" and role[2] == primary.port:
                return node
    raise AssertionError("it has none")
