"""Connections: which servers are taken, what is said of those that are not."""

from __future__ import annotations

import time

import pytest
import redis

from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from task_manager import open_task_manager
from task_manager.errors import MisconfiguredError, UnavailableError, UnsupportedServerError
from task_manager.redis.connection import Connection, check_mode, check_version
from task_manager.redis.finished_watch import PING_EVERY_S, FinishedWatch
from task_manager.redis.scripts.lua_script import script
from task_manager.redis.scripts.run import run_scripts
from tests.faults.redis.muting_proxy import MutingProxy
from tests.faults.redis.refusing_redis import RefusingRedis
from tests.helpers import connect, wait_until

NO_NEWS_S = 3 * PING_EVERY_S
TAKE = script("random", "take_lock").call(lock="lock", owner="a", ttl_ms=5000)
KEYS = ("running", "owners", "cancelled", "paused", "tally", "counts")
ENDED = ("ended_done", "ended_failed", "ended_cancelled")
RENEW = script("random", "renew").call(
    **{name: name for name in (*KEYS, *ENDED)}, claims=[], lease_ms=1, keep_ms=1, renewed=[]
)


@pytest.mark.parametrize("tcp", [False, True], ids=["unix socket", "tcp"])
def test_a_subscription_without_news_stays(tcp: bool) -> None:
    """A server that nobody published anything at for a while is listened to as before."""
    connected: list[bool] = []
    heard: list[str] = []
    with EmbeddedRedis(tcp=tcp) as server:
        connection = Connection(server.url)
        watch = FinishedWatch(
            connection, "news", heard.extend, connected.append, lambda _error: None
        )
        until_s = time.monotonic() + NO_NEWS_S
        wait_until(lambda: connected and time.monotonic() > until_s, description="no news came")
        with connect(server.url) as client:
            client.publish("news", "a,b")
        wait_until(lambda: heard == ["a", "b"], description="then some did")
        watch.close()
        connection.close()
    assert connected == [True]


@pytest.mark.parametrize(
    "info",
    [
        {"redis_version": "6.2.0"},
        {"redis_version": "7.0.15"},
        {"redis_version": "7.2.4", "valkey_version": "7.2.5"},
        {"redis_version": "7.2.4", "valkey_version": "9.1.0"},
    ],
)
def test_supported_servers(info: dict[str, str]) -> None:
    """Redis from 6.2, Valkey from 7.2."""
    check_version(info, "redis://there")


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ({"redis_version": "6.0.16"}, "Redis 6.0.16"),
        ({"redis_version": "5.0.0"}, "Redis 5.0.0"),
        ({"redis_version": "7.2.4", "valkey_version": "7.0.0"}, "Valkey 7.0.0"),
    ],
)
def test_old_servers_are_refused_with_a_sentence(info: dict[str, str], found: str) -> None:
    """It says what was found, where, and what is needed."""
    with pytest.raises(UnsupportedServerError, match=rf"{found} at redis://there is too old.*6\.2"):
        check_version(info, "redis://there")


@pytest.mark.parametrize(
    ("info", "form"),
    [
        ({"redis_mode": "cluster"}, r"redis\+cluster://"),
        ({"server_mode": "cluster"}, r"redis\+cluster://"),
        ({"redis_mode": "sentinel"}, r"redis\+sentinel://"),
        ({"server_mode": "sentinel"}, r"redis\+sentinel://"),
    ],
)
def test_servers_that_are_not_one_by_themselves(info: dict[str, str], form: str) -> None:
    """It says how their URL is written; Redis and Valkey have other names for what they are."""
    with pytest.raises(MisconfiguredError, match=form):
        check_mode(info, "redis://there")
    check_mode({"redis_mode": "standalone"}, "redis://there")


def test_the_real_server_is_checked_at_the_first_call(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old server is refused before anything is written to it."""
    connection = Connection(redis_url)
    monkeypatch.setattr(redis.Redis, "info", lambda *_: {"redis_version": "5.0.7"})
    with pytest.raises(UnsupportedServerError), connection.client():
        pass
    connection.close()


def test_passwords_stay_out_of_messages() -> None:
    """An error names the server, not the secret."""
    connection = Connection("redis://user:hunter2@127.0.0.1:1/0")
    with (
        pytest.raises(UnavailableError, match=r"redis://\*\*\*@127\.0\.0\.1:1/0") as caught,
        connection.client() as client,
    ):
        client.ping()
    assert "hunter2" not in str(caught.value)
    connection.close()


def test_a_full_server_is_unavailable(redis_url: str) -> None:
    """A server that takes no writes is told as such, not as a crash."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", "1")
        connection = Connection(redis_url)
        try:
            with (
                pytest.raises(UnavailableError, match="takes no writes"),
                connection.client() as ours,
            ):
                run_scripts(ours, [TAKE])
        finally:
            client.config_set("maxmemory", "0")
            connection.close()


def test_unknown_scripts_are_loaded_and_only_they_repeated(redis_url: str) -> None:
    """After a restart the server knows no script; what it did know is not done twice."""
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()
        assert run_scripts(client, [TAKE]) == [1]
        release = script("random", "release_lock").call(lock="lock", owner="a")
        assert run_scripts(client, [release, TAKE]) == [1, 1], "only the first one was new"
        assert client.exists("lock") == 0, "it was released after it was taken, once each"


def test_a_reply_of_another_type_is_none(redis_url: str) -> None:
    """It is said that Redis is unavailable; a result is not taken for stored, a claim for given."""
    with redis.Redis.from_url(redis_url) as client, RefusingRedis(redis_url) as proxy:
        proxied = Connection(proxy.url)
        with proxied.client() as ours:
            ours.ping()
        for reply in (b":0\r\n", b"+OK\r\n", b"$-1\r\n"):
            proxy.garble(reply, "EVALSHA")
            with pytest.raises(UnavailableError, match="cannot be read"), proxied.client() as ours:
                run_scripts(ours, [RENEW])
        assert client.dbsize() == 0
        proxied.close()


@pytest.mark.parametrize(
    "said",
    [
        "READONLY You can't write against a read only replica.",
        "ERR Error running script (call to f_0): @user_script:3: -READONLY You can't write",
    ],
)
def test_a_replica_is_left(redis_url: str, said: str) -> None:
    """Where another one takes writes now, the next call makes a connection anew, and finds it."""
    with MutingProxy(redis_url) as behind, RefusingRedis(behind.url) as proxy:
        connection = Connection(proxy.url)
        with connection.client() as client:
            assert run_scripts(client, [TAKE]) == [1]
        before = behind.accepted
        proxy.refuse(said, "EVALSHA")
        with (
            pytest.raises(UnavailableError, match="takes no writes"),
            connection.client() as client,
        ):
            run_scripts(client, [TAKE])
        proxy.relent()
        with connection.client() as client:
            assert run_scripts(client, [TAKE]) == [1]
        assert behind.accepted > before
        connection.close()


def test_two_databases_are_needed() -> None:
    """The random queue mode refuses to keep its inputs among other keys."""
    settings = Settings(redis_url="redis://localhost:6379/1", input_db=1)
    with pytest.raises(SettingError, match="a database of their own"):
        open_task_manager(settings, {})
