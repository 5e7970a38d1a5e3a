"""A Redis Cluster of three nodes that have slots, and a replica of each where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import redis
from redis.crc import key_slot

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.managed_process import free_port
from tests.helpers import connect, wait_until

BOUNDS = (0, 1000, 6000, 16384)
"""Which slots each node has: the names of task types that tests use are apart."""
NODES = len(BOUNDS) - 1
TIMEOUT_MS = 5000
"""After which a node that does not answer has failed."""


class Node:
    """One server of the cluster."""

    def __init__(self, server: EmbeddedRedis) -> None:
        self.server = server
        self.at = server.url.removeprefix("redis://").removesuffix("/0")
        self.port = int(self.at.rpartition(":")[2])
        self.id = str(self.ask("CLUSTER", "MYID").decode())

    def ask(self, *words: str | int) -> Any:
        """Its reply, as it came."""
        with connect(self.server.url, protocol=2) as client:
            client.response_callbacks.clear()
            return client.execute_command(*words)

    @property
    def is_primary(self) -> bool:
        """Whether it takes writes, as it sees it."""
        return bool(self.ask("ROLE")[0] == b"master")

    def follows(self) -> bool:
        """Whether it is a replica that is up to date."""
        role = self.ask("ROLE")
        return bool(role[0] == b"slave" and role[3] == b"connected")

    def is_up(self, nodes: int) -> bool:
        """Whether it knows so many nodes, and thinks that the cluster works."""
        with suppress(redis.RedisError):
            told = self.ask("CLUSTER", "INFO").decode()
            return "cluster_state:ok" in told and f"cluster_known_nodes:{nodes}\r" in told
        return False


class Cluster:
    """What was started; the first `NODES` have the slots."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.url = "redis+cluster://" + ",".join(node.at for node in nodes[:2])

    def owner(self, key: str) -> Node:
        """The node that has a key's slot, as most of them see it."""
        slot = key_slot(key.encode())
        for low, high, (_, port, *_), *_ in self.nodes[-1].ask("CLUSTER", "SLOTS"):
            if low <= slot <= high:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    def flush(self) -> None:
        """Empties all."""
        for node in self.nodes:
            if node.is_primary:
                node.ask("FLUSHALL")

    def fail_after(self, timeout_ms: int) -> None:
        """After how long a node that does not answer has failed."""
        for node in self.nodes:
            node.ask("CONFIG", "SET", "cluster-node-timeout", timeout_ms)

    def keys_without_ttl(self) -> list[bytes]:
        """Those that never expire."""
        return [
            key
            for node in self.nodes
            if node.is_primary
            for key in node.ask("KEYS", "*")
            if node.ask("TTL", key) == -1
        ]

    def begin_to_move(self, slot: int, source: Node, target: Node) -> None:
        """Its keys may be in both places from now on."""
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)

    def move(self, slot: int, source: Node, target: Node) -> None:
        """As `redis-cli --cluster reshard` does it: key by key, then all are told."""
        self.begin_to_move(slot, source, target)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for node in (target, source, *self.nodes):
            with suppress(redis.RedisError):  # replicas are told by their primaries
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)
        # Else the next move may have the same epoch as this one. Then a slot may go back to where
        # it came from, and a node that loses one deletes its keys.
        wait_until(self._agrees, description="all nodes know of the move")

    def _agrees(self) -> bool:
        """Whether all nodes know the same epoch."""
        told = [node.ask("CLUSTER", "INFO").decode() for node in self.nodes]
        return len({each.partition("cluster_current_epoch:")[2].split()[0] for each in told}) == 1


@contextmanager
def cluster(replicas: int = 0, options: Sequence[str] = ()) -> Iterator[Cluster]:
    """Starts `NODES` nodes, each with so many replicas; returns when all of them agree."""
    with ExitStack() as stack:
        nodes = [
            Node(stack.enter_context(EmbeddedRedis(tcp=True, options=cluster_options(options))))
            for _ in range(NODES * (1 + replicas))
        ]
        for number, node in enumerate(nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < NODES:
                node.ask("CLUSTER", "ADDSLOTS", *range(BOUNDS[number], BOUNDS[number + 1]))
        for node in nodes:
            for other in nodes:
                bus = int(other.ask("CONFIG", "GET", "cluster-port")[1])
                if other is not node:
                    node.ask("CLUSTER", "MEET", "127.0.0.1", other.port, bus)
        made = Cluster(nodes)
        _wait_until_up(made)
        for number, node in enumerate(nodes[NODES:]):
            node.ask("CLUSTER", "REPLICATE", nodes[number % NODES].id)
        for node in nodes[NODES:]:
            wait_until(node.follows, description="it follows")
        yield made


def _wait_until_up(made: Cluster) -> None:
    wait_until(
        lambda: all(node.is_up(len(made.nodes)) for node in made.nodes),
        description="all nodes know each other",
    )


def cluster_options(more: Sequence[str] = ()) -> list[str]:
    """Those of a server that may be a node."""
    return [
        *("--cluster-enabled", "yes", "--cluster-port", str(free_port())),
        *("--cluster-node-timeout", str(TIMEOUT_MS), "--repl-diskless-sync-delay", "0"),
        *("--cluster-replica-validity-factor", "0", "--shutdown-timeout", "0", *more),
    ]
