"""What can never work is one line at the start that says what to do, and never a password."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from doneyet.local.embedded_redis import EmbeddedRedis
from tests.faults.redis.refusing_redis import RefusingRedis
from tests.helpers import wait_until
from tests.http.servers import ServerProcess

ROOT = Path(__file__).parents[3]
SECRET = "rSECRET"
PROGRAMS = {"http_server": ["--port", "0"], "worker": []}


def start_and_end(program: str, *flags: str, redis_url: str) -> str:
    """Starts a program that cannot serve; the one line that it wrote."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("DONEYET_")}
    ended = subprocess.run(
        [sys.executable, "-m", program, *PROGRAMS[program], *flags],
        cwd=ROOT,
        env={**environ, "DONEYET_REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode in (1, 2), ended.stderr
    (line,) = ended.stderr.splitlines()
    assert SECRET not in line
    return line


@pytest.fixture(scope="module")
def odd_redis() -> Iterator[EmbeddedRedis]:
    """A server with users who may not do everything; it has 16 databases."""
    with EmbeddedRedis(tcp=True) as server, redis.Redis.from_url(server.url) as admin:
        for user, commands, channels in (
            ("safe", ["+@all", "-@dangerous"], ["doneyet:*"]),
            ("no-select", ["+@all", "-select"], ["doneyet:*"]),
            ("no-channel", ["+@all"], []),
            ("no-publish", ["+@all", "-publish"], ["doneyet:*"]),
            ("no-subscribe", ["+@all", "-subscribe"], ["doneyet:*"]),
            ("no-scripts", ["+@all", "-evalsha"], ["doneyet:*"]),
            ("no-waiting", ["+@all", "-blpop"], ["doneyet:*"]),
            ("no-sorted-sets", ["+@all", "-zadd"], ["doneyet:*"]),
        ):
            admin.acl_setuser(
                user,
                enabled=True,
                passwords=["+p/w"],
                commands=commands,
                keys=["doneyet:*"],
                channels=channels,
                reset_channels=not channels,
            )
        yield server


def url_of(server: EmbeddedRedis, user: str, password: str = "p%2Fw") -> str:
    """The server's URL with a user."""
    return server.url.replace("redis://", f"redis://{user}:{password}@")


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "user",
    [
        *("no-select", "no-channel", "no-publish", "no-subscribe", "no-scripts", "no-waiting"),
        "no-sorted-sets",
    ],
)
def test_missing_permissions(odd_redis: EmbeddedRedis, program: str, user: str) -> None:
    """Each command and channel that is needed at any time is asked for at the start."""
    line = start_and_end(program, redis_url=url_of(odd_redis, user))
    assert "does not permit" in line
    assert "DONEYET_REDIS_URL" in line
    with redis.Redis.from_url(odd_redis.url) as admin:
        assert all(admin.ttl(key) >= 0 for key in admin.scan_iter()), "also where it ends half way"


@pytest.mark.parametrize("queue_mode", ["--random", "--distributed", "--ordered"])
def test_a_user_without_dangerous_commands(odd_redis: EmbeddedRedis, queue_mode: str) -> None:
    """The usual ACL rule is enough: INFO is not needed."""
    flags = [] if queue_mode == "--random" else [queue_mode]
    server = ServerProcess(*flags, redis_url=url_of(odd_redis, "safe"))
    ready = requests.get(f"{server.url}/readyz", timeout=10)
    reply = requests.post(f"{server.url}/factorize", json={"number": 6}, timeout=10)
    server.stop()
    assert (ready.status_code, reply.status_code) == (200, 202)


@pytest.mark.parametrize("program", PROGRAMS)
def test_credentials_databases_and_servers(odd_redis: EmbeddedRedis, program: str) -> None:
    """Each line says what is wrong and which setting to change."""
    line = start_and_end(program, redis_url=url_of(odd_redis, "safe", SECRET))
    assert "refuses the user or the password of DONEYET_REDIS_URL" in line
    line = start_and_end(program, redis_url=url_of(odd_redis, "", SECRET))
    assert "leave it out" in line
    line = start_and_end(program, "--input-db", "16", redis_url=odd_redis.url)
    assert "DONEYET_INPUT_DB" in line
    line = start_and_end(program, redis_url=odd_redis.url.replace("/0", "/99"))
    assert "DONEYET_REDIS_URL" in line
    with RefusingRedis(odd_redis.url) as proxy:
        for version in ("6.0.16", "5.0.7"):
            proxy.pretend_version(version)
            assert f"Redis {version}" in start_and_end(program, redis_url=proxy.url)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_password_that_is_not_encoded(program: str) -> None:
    """The setting is named, and what to do; of the value nothing is repeated."""
    for password in (
        f"s3c/{SECRET}",
        f"s3c#{SECRET}",
        f"12?{SECRET}",
        f"12#{SECRET}",
        f"a@b/{SECRET}",
    ):
        line = start_and_end(program, redis_url=f"redis://:{password}@127.0.0.1:6379/0")
        assert "DONEYET_REDIS_URL" in line
        assert "percent-encode" in line
        assert "s3c" not in line


def test_a_server_that_turns_out_to_be_too_old() -> None:
    """It came after us: 503 with the sentence, and one line in the log."""
    with EmbeddedRedis() as real, RefusingRedis(real.url) as proxy:
        proxy.refuse("LOADING")
        server = ServerProcess(redis_url=proxy.url)
        proxy.pretend_version("6.0.16")
        proxy.relent()

        def said() -> str:
            reply = requests.post(f"{server.url}/factorize", json={"number": 6}, timeout=10)
            assert reply.status_code == 503, reply.text
            return str(reply.json()["detail"])

        wait_until(lambda: "Redis 6.0.16" in said(), description="it says so to clients")
        said()
        assert server.stop().count("is too old") == 1


def test_a_password_that_is_changed_while_we_work() -> None:
    """503 while it is another one; said once; and all goes on when it is the old one again."""
    with EmbeddedRedis() as real, redis.Redis.from_url(real.url) as admin:
        server = ServerProcess(redis_url=real.url)
        admin.config_set("requirepass", "other")
        admin.client_kill_filter(skipme=True)

        def status() -> int:
            reply = requests.post(f"{server.url}/factorize", json={"number": 6}, timeout=10)
            return reply.status_code

        wait_until(lambda: status() == 503, description="it is refused")
        time.sleep(0.2)
        assert status() == 503
        admin.config_set("requirepass", "")
        wait_until(lambda: status() == 202, description="it is taken again")
        assert server.stop().count("asks for a password") == 1
