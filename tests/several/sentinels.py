"""A Redis, a replica of it, and Sentinels that watch both."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import redis

from doneyet.local.embedded_redis import EmbeddedRedis, server_binary
from doneyet.local.managed_process import Part, free_port
from tests.helpers import connect, wait_until

NAME = "mymaster"
DOWN_AFTER_MS = 1000


class Sentinel:
    """One Sentinel that watches the Redis at a port; whoever wants may kill it.

    With `tls`, lines of its configuration, it speaks nothing else.
    """

    def __init__(
        self, redis_port: int, quorum: int, password: str = "", tls: Sequence[str] = ()
    ) -> None:
        self.port = free_port()
        self.url = f"redis://:{password}@127.0.0.1:{self.port}"
        self._directory = Path(tempfile.mkdtemp(prefix="doneyet-sentinel-"))
        watched = f"{NAME} 127.0.0.1 {redis_port} {quorum}"
        lines = [
            *(("port 0", f"tls-port {self.port}", *tls) if tls else (f"port {self.port}",)),
            *("bind 127.0.0.1", f"dir {self._directory}"),
            f"sentinel monitor {watched}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {NAME} 5000",
        ]
        if password:
            lines.append(f"requirepass {password}")
        file = self._directory / "sentinel.conf"
        file.write_text("\n".join(lines) + "\n")
        command = [server_binary(), str(file), "--sentinel"]
        self._part = Part("Sentinel", command, os.environ, grace_s=2, directory=self._directory)

    def told(self) -> dict[str, Any]:
        """What it says of the Redis; nothing where it is away."""
        with connect(self.url) as client, suppress(redis.RedisError):
            found: dict[str, Any] = client.sentinel_master(NAME)
            return found
        return {}

    def knows(self, others: int) -> bool:
        """Whether it knows so many other Sentinels, and a replica that is fit to take over."""
        with connect(self.url) as client, suppress(redis.RedisError):
            replicas: list[dict[str, Any]] = client.sentinel_slaves(NAME)
            fit = [each["master-link-status"] == "ok" for each in replicas]
            return fit == [True] and self.told().get("num-other-sentinels") == others
        return False

    def kill(self) -> None:
        """As a crash would end it."""
        self._part.kill()

    def __enter__(self) -> Sentinel:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it and removes its directory."""
        self._part.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


class Watched:
    """Two Redis, one of which is the other's replica, and those who watch them."""

    def __init__(
        self, both: tuple[EmbeddedRedis, EmbeddedRedis], sentinels: list[Sentinel]
    ) -> None:
        self.both, self.sentinels = both, sentinels
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in sentinels)
        self.url = f"redis+sentinel://{hosts}/{NAME}/0"

    @property
    def master(self) -> EmbeddedRedis:
        """The one that takes writes, as the last of the Sentinels has it."""
        port = self.sentinels[-1].told().get("port")
        return next(each for each in self.both if f":{port}/" in each.url)

    def fail_over(self) -> None:
        """Has the other take its place, while both are there; once in ten seconds."""
        before = self.master
        with connect(self.sentinels[-1].url) as client:
            client.execute_command("SENTINEL", "FAILOVER", NAME)
        wait_until(lambda: self.master is not before, description="the other takes its place")


@contextmanager
def watched(sentinels: int) -> Iterator[Watched]:
    """Starts them; returns when the Sentinels know of each other and of the replica."""
    with ExitStack() as stack:
        options = (
            *("--repl-diskless-sync-delay", "0", "--shutdown-timeout", "0"),
            "--replica-priority",
        )
        master = stack.enter_context(EmbeddedRedis(tcp=True, options=(*options, "10")))
        port = master.url.rpartition(":")[2].partition("/")[0]
        replica = stack.enter_context(
            EmbeddedRedis(tcp=True, options=(*options, "1", "--replicaof", f"127.0.0.1 {port}"))
        )
        with connect(replica.url) as client:  # before any Sentinel looks, which it does seldom
            wait_until(
                lambda: client.info("replication")["master_link_status"] == "up",
                description="the replica follows",
            )
        quorum = sentinels // 2 + 1
        started = [stack.enter_context(Sentinel(int(port), quorum)) for _ in range(sentinels)]
        for each in started:
            wait_until(partial(each.knows, sentinels - 1), description="a Sentinel knows all")
        yield Watched((master, replica), started)
