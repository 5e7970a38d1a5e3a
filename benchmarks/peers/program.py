"""The commands that fill and drain a peer's queue."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.peers.catalog import RESULT_DB, Peer
from benchmarks.setup import environments

SCRIPTS = environments.HERE / "peers"


@dataclass(frozen=True, slots=True)
class Program:
    """What runs `peer` in its own environment."""

    peer: Peer
    interpreter: str
    version: str

    def enqueue(self) -> list[str]:
        """The command that puts the peer's tasks into its queue."""
        count = str(self.peer.tasks)
        if self.peer.node:
            return [self.interpreter, str(SCRIPTS / "bullmq.mjs"), "enqueue", count]
        return [self.interpreter, "-m", "benchmarks.peers.enqueue", self.peer.name, count]

    def work(self, redis_url: str) -> list[str]:
        """The command that runs its one worker process."""
        if self.peer.node:
            return [self.interpreter, str(SCRIPTS / "bullmq.mjs"), "work"]
        return [self.interpreter, *(part.format(url=redis_url) for part in self.peer.program)]


def program(peer: Peer) -> Program:
    """How to run `peer`, which is installed by then.

    Raises:
        NotInstalledError: it cannot be installed here.
    """
    if peer.node:
        return Program(peer, environments.node(), environments.node_version_of(peer.name))
    return Program(peer, environments.python_of(peer.name), environments.version_of(peer.name))


def environ(redis_url: str) -> dict[str, str]:
    """Where the peers find the server."""
    result_url = redis_url.rsplit("/", 1)[0] + f"/{RESULT_DB}"
    return {"BENCH_REDIS_URL": redis_url, "BENCH_RESULT_URL": result_url}
