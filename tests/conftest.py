"""One real server for the whole run, empty for each test, and no key that lives for ever."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from importlib.metadata import version
from pathlib import Path

import hypothesis
import pytest
import redis

from doneyet.local.embedded_redis import EmbeddedRedis, server_binary
from doneyet.testing.redis_in_process import redis_in_process
from task_manager.redis.clients import each_server
from tests.helpers import CLUSTER, FAKE, connect, wait_until
from tests.several.cluster import Cluster, cluster

DATABASES = 16
NO_TRACING = Path(__file__).parent / "no_tracing"

KEPT_BY_RQ = tuple(
    f"rq:{name}".encode()
    for name in (
        "queues",
        "workers",
        "wip:",
        "finished:",
        "failed:",
        "canceled:",
        "clean_registries:",
    )
)
"""What the keys begin with to which RQ gives no TTL: sets, a member per queue, worker or job."""

os.environ["HF_HUB_OFFLINE"] = (
    "1"  # models come from folders that tests make; no test may fetch one
)


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Shells have what they run in the background ignore it, and so would all that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # `nohup` asks for that. A handler ignores it here, and programs that are started do not.
    signal.signal(signal.SIGHUP, lambda *_: None)

gc.disable()  # until all tests are found: looking for cycles took a third of that


def pytest_collection_finish() -> None:
    """What was loaded for the tests stays, and no search for cycles looks at it again."""
    gc.freeze()
    gc.enable()


hypothesis.settings.register_profile("suite", deadline=None)  # a busy machine is slow, not wrong
hypothesis.settings.load_profile("suite")


def pytest_report_header() -> str:
    """Says which server the tests use."""
    if FAKE:
        return f"server: fakeredis {version('fakeredis')}, in this process"
    program = server_binary()
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return f"server: {told.stdout.strip()} ({program})"


@pytest.fixture(scope="session", autouse=True)
def programs_without_tracing() -> Iterator[None]:
    """Programs that tests start have no OpenTelemetry, as most users' have none: where it is
    installed redis-py loads it, 50 ms of work in each of more than a thousand programs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(NO_TRACING), prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    """A server of the suite's own; shared, so no test may stop it."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty server; fails the test if it leaves a key without a TTL."""
    with redis_in_process() if FAKE else nullcontext(shared_url(request)) as url:
        client = connect(url)
        client.flushall()
        yield url
        leaked = keys_without_ttl(url)
        client.flushall()
        client.close()
    assert not leaked, f"keys that never expire: {leaked}"


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[Cluster]:
    """A cluster of the suite's own."""
    with cluster() as nodes:
        yield nodes


def shared_url(request: pytest.FixtureRequest) -> str:
    """That of the suite's own server, or cluster."""
    if CLUSTER:
        nodes: Cluster = request.getfixturevalue("redis_cluster")
        return nodes.url
    server: EmbeddedRedis = request.getfixturevalue("redis_server")
    return server.url


def keys_without_ttl(url: str) -> list[bytes]:
    """All keys, of all databases, that do not expire, without those that RQ keeps so."""
    return [
        key
        for client in each_database(url)
        for key in client.scan_iter(count=1000)
        if client.ttl(key) == -1 and not key.startswith(KEPT_BY_RQ)
    ]


def each_database(url: str) -> Iterator[redis.Redis]:
    """A client of each database, or of each node of a cluster, in turn."""
    if CLUSTER:
        yield from each_server(connect(url))
        return
    for database in range(DATABASES):
        with connect(url, single_connection_client=True) as client:
            client.select(database)
            yield client


def wait_until_all_keys_expire(url: str) -> None:
    """Returns once every key has had a TTL. RQ takes a job's away when it begins, even one that has
    nothing to do any more, and gives it back soon.

    Raises:
        AssertionError: some keys never had one for a while; says what is in them.
    """
    leaked = set(keys_without_ttl(url))

    def all_have_had_one() -> bool:
        if leaked:
            leaked.intersection_update(keys_without_ttl(url))
        return not leaked

    with suppress(AssertionError):  # which could not name them
        wait_until(all_have_had_one, description="keys expire", timeout_s=15)
    with connect(url) as client:
        hashes = {key: client.hgetall(key) for key in leaked if client.type(key) == b"hash"}
    assert not leaked, f"keys that never expire: {leaked}; {hashes}"
