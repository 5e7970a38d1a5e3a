"""What all benchmarks share: one server, and a way to say what goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis

from doneyet.local.embedded_redis import EmbeddedRedis


@dataclass(frozen=True, slots=True)
class Bench:
    """The server that everything measured here uses, doneyet and peers alike."""

    redis_url: str
    server: redis.Redis
    quick: bool = False
    """Whether to find out in short that it works, rather than how fast; see the command line."""
    device: str = "auto"
    """Where models are to be computed: auto (a GPU where there is one), cpu, cuda."""

    def database(self, number: int) -> str:
        """The URL of another of the server's databases."""
        return f"{self.redis_url.rsplit('/', 1)[0]}/{number}"

    def empty(self) -> None:
        """Forgets everything; it is our own server."""
        self.server.flushall()

    def say(self, line: str) -> None:
        """Tells whoever waits; the report comes at the end."""
        print(f"  {line}", file=sys.stderr, flush=True)


@contextmanager
def bench(*, quick: bool = False, device: str = "auto") -> Iterator[Bench]:
    """A server for the time of the benchmarks."""
    with EmbeddedRedis(tcp=True) as server, redis.Redis.from_url(server.url) as client:
        yield Bench(server.url, client, quick, device)
