"""A Redis Cluster of three nodes, each with a third of the slots."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import redis

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.local.managed_process import free_port

NODES, SLOTS = 3, 16384
START_TIMEOUT_S = 30.0


@contextmanager
def three_masters() -> Iterator[tuple[str, Sequence[EmbeddedRedis]]]:
    """Starts them; gives the URL of the cluster when all agree, and the nodes.

    Raises:
        TimeoutError: they do not agree.
    """
    with ExitStack() as stack:
        nodes = [stack.enter_context(EmbeddedRedis(tcp=True, options=_options())) for _ in "123"]
        clients = [
            stack.enter_context(redis.Redis.from_url(node.url, protocol=2)) for node in nodes
        ]
        for number, client in enumerate(clients):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            ends = [SLOTS * (number + each) // NODES for each in (0, 1)]
            client.execute_command("CLUSTER ADDSLOTS", *range(*ends))
        for client in clients:
            for other, node in zip(clients, nodes, strict=True):
                bus = int(other.config_get("cluster-port")["cluster-port"])
                client.execute_command("CLUSTER MEET", "127.0.0.1", _port(node), bus)
        give_up_s = time.monotonic() + START_TIMEOUT_S
        while not all(map(_agrees, clients)):
            if time.monotonic() > give_up_s:
                raise TimeoutError("the nodes do not know each other")
            time.sleep(0.05)
        yield f"redis+cluster://127.0.0.1:{_port(nodes[0])}", nodes


def _options() -> list[str]:
    return ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]


def _port(node: EmbeddedRedis) -> int:
    return int(node.url.rpartition(":")[2].partition("/")[0])


def _agrees(client: redis.Redis) -> bool:
    told = client.execute_command("CLUSTER INFO")
    return told["cluster_state"] == "ok" and told["cluster_known_nodes"] == str(NODES)
