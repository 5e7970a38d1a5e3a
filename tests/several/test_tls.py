"""TLS with a private authority, for every kind of URL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from doneyet.local.embedded_redis import CHOICE, EmbeddedRedis
from doneyet.local.managed_process import free_port
from task_manager.errors import MisconfiguredError, UnavailableError
from task_manager.redis.connection import Connection
from tests.contract.harness import ONE, RedisHarness, TypeLimits, task
from tests.helpers import connect, leave_to_ci, wait_until
from tests.several.certificates import Authority
from tests.several.cluster import BOUNDS, cluster_options
from tests.several.sentinels import NAME, Sentinel


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One for all tests here."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def server_with_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server from PyPI has none; distributions' have it."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        leave_to_ci("no redis-server or valkey-server on PATH, and that of PyPI has no TLS")
    monkeypatch.setenv(CHOICE, program)


@contextmanager
def one(authority: Authority) -> Iterator[str]:
    """A Redis by itself."""
    port = free_port()
    options = ("--tls-port", str(port), *authority.server_options)
    with EmbeddedRedis(options=options):
        yield f"rediss://127.0.0.1:{port}/0"


@contextmanager
def behind_a_sentinel(authority: Authority) -> Iterator[str]:
    """A Redis and a Sentinel, which speak to each other by TLS as well."""
    port = free_port()
    options = ("--tls-port", str(port), *authority.server_options)
    words = [*authority.server_options, "--tls-replication", "yes"]
    lines = [f"{name[2:]} {value}" for name, value in zip(words[::2], words[1::2], strict=True)]
    with EmbeddedRedis(options=options), Sentinel(port, quorum=1, tls=lines) as sentinel:
        yield f"rediss+sentinel://127.0.0.1:{sentinel.port}/{NAME}"


@contextmanager
def cluster_of_one(authority: Authority) -> Iterator[str]:
    """A cluster with one node."""
    port = free_port()
    options = ("--tls-port", str(port), "--tls-cluster", "yes", *authority.server_options)
    with (
        EmbeddedRedis(options=cluster_options(options)) as server,
        connect(server.url) as client,
    ):
        client.execute_command("CLUSTER", "ADDSLOTS", *range(BOUNDS[-1]))
        yield f"rediss+cluster://127.0.0.1:{port}"


@pytest.mark.parametrize("start", [one, behind_a_sentinel, cluster_of_one])
def test_a_private_authority(
    authority: Authority, start: Callable[[Authority], AbstractContextManager[str]]
) -> None:
    """The URL names its certificate; without, it is said what to do."""
    with start(authority) as url:
        harness = RedisHarness(
            f"{url}?ssl_ca_certs={authority.ca}", {ONE: TypeLimits()}, "distributed"
        )
        wait_until(lambda: _is_there(harness), description="it answers")
        harness.manager.submit([task(3)])
        assert harness.work_once() == [3]
        heard: list[str] = []
        connected: list[bool] = []
        watch = harness.manager.watch(heard.extend, connected.append)
        wait_until(lambda: connected, description="it listens")
        harness.manager.submit([task(4)])
        harness.work_once()
        wait_until(lambda: heard, description="news comes")
        watch.close()
        harness.close()
        connection = Connection(url)
        with (
            pytest.raises(MisconfiguredError, match=r"\?ssl_ca_certs=FILE"),
            connection.client() as client,
        ):
            client.get("key")
        connection.close()


def _is_there(harness: RedisHarness) -> bool:
    try:
        harness.manager.check()
    except UnavailableError:
        return False
    return True
