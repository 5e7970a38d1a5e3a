"""Whatever Redis says for a while, nothing ends, nothing is a bug, and then all is answered.

One running system per queue mode meets every refusal in turn. So each test begins with what the one
before left behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import requests

from tests.faults.fault_tasks import RUNS
from tests.faults.redis.muting_proxy import ASKING, BLOCKING, SUBSCRIBING
from tests.faults.redis.refused_system import HARMLESS, NUMBERS, Log, Running
from tests.faults.redis.refusing_redis import REFUSALS
from tests.helpers import wait_until

QUEUE_MODES = ("random", "distributed", "ordered")


@pytest.fixture(scope="module", params=QUEUE_MODES)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """One system for all tests of a queue mode."""
    runs_file = tmp_path_factory.mktemp("runs") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUNS, str(runs_file))
        patch.setattr("doneyet.local.managed_process.LOG_TAIL_BYTES", 1 << 20)
        system = Running(request.param, runs_file)
        yield system
        system.stop()


@pytest.mark.parametrize("error", REFUSALS)
def test_refusals(running: Running, error: str) -> None:
    """503 and not ready meanwhile, one log line at the start and one at the end, then all is
    answered, what ran meanwhile too."""
    running.wait_until_nothing_is_amiss()
    logs = [Log(running.worker), Log(running.server)]
    with running.refusing_with(error):
        running.assert_noticed(error)
        if error not in HARMLESS:
            for log in logs:
                wait_until(log.new_lines, description="it is in the log")
    if error in HARMLESS:
        return
    for log in logs:
        wait_until(lambda: log.says("is back", running), description="its end is in the log")  # noqa: B023
    said = "\n".join(line for log in logs for line in log.new_lines())
    assert [len(log.new_lines()) for log in logs] == [2, 2], said


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(b"?what\r\n", id="no-resp"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="http"),
        pytest.param(b"*1\r\n$x\r\n", id="broken"),
        pytest.param(b"+OK\r\n", id="another-type"),
        pytest.param(b"*2\r\n:1\r\n+a\r\n", id="another-shape"),
        pytest.param(b"*1\r\n:1\r\n", id="too-short"),
        # Not an empty list: that is what a script returns that has stored all results.
        pytest.param(b"*2\r\n+a\r\n+a\r\n", id="no-number"),
    ],
)
def test_garbled_replies(running: Running, reply: bytes) -> None:
    """What is no answer is none: nothing that was not stored counts as stored."""
    polling = running.poll_until_it_runs()
    running.refusing.garble(reply)
    try:
        running.assert_refuses_well()
    finally:
        running.refusing.relent()
    polling.assert_answered()
    running.assert_all_is_well()


@pytest.mark.parametrize("kind", [SUBSCRIBING, BLOCKING, ASKING, None])
def test_connections_that_fall_silent(running: Running, kind: str | None) -> None:
    """Each kind of connection is noticed to be mute and made anew within seconds, while new ones
    work; a held request is then answered at once again."""
    wait_until(
        lambda: running.muting.count(kind or SUBSCRIBING), description="there is such a connection"
    )
    polling = running.poll_until_it_runs()
    assert running.muting.mute(kind)
    polling.assert_answered()

    def held_s() -> float:
        began_s = time.monotonic()
        reply = requests.post(
            f"{running.system.url}/slow",
            json={"n": next(NUMBERS)},
            headers={"Prefer": "wait=20"},
            timeout=30,
        )
        assert reply.status_code in (200, 503)
        return time.monotonic() - began_s if reply.ok else 99.0

    assert held_s() < 15, "even while it is not yet noticed"
    wait_until(lambda: held_s() < 1.5, description="held requests are woken by news")
    running.assert_all_is_well()


def test_new_connections_that_are_never_answered(running: Running) -> None:
    """503 within 2 s all the same, and no thread waits for ever for a handshake."""
    polling = running.poll_until_it_runs()
    running.muting.mute_new = True
    running.muting.mute()
    try:
        running.assert_refuses_well()
    finally:
        running.muting.mute_new = False
    polling.assert_answered()
    running.assert_all_is_well()


def test_connections_that_are_cut(running: Running) -> None:
    """Nobody notices."""
    for _ in range(5):
        polling = running.poll_until_it_runs()
        running.muting.cut()
        polling.assert_answered()
    running.assert_all_is_well()


Refusal = Callable[[Running], contextlib.AbstractContextManager[None]]


def _setting(name: str, value: str, usual: str) -> Refusal:
    """A refusal by CONFIG SET."""

    @contextlib.contextmanager
    def refuse(running: Running) -> Iterator[None]:
        running.admin.config_set(name, value)
        try:
            yield
        finally:
            running.admin.config_set(name, usual)

    return refuse


@contextlib.contextmanager
def _replica_of_nobody(running: Running) -> Iterator[None]:
    running.admin.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        running.admin.replicaof("NO", "ONE")


@contextlib.contextmanager
def _failed_snapshot(running: Running) -> Iterator[None]:
    """A folder stands where the snapshot should be written to."""
    folder = Path(str(running.admin.config_get("dir")["dir"])) / "dump.rdb"
    folder.mkdir()
    running.admin.config_set("save", "3600 1")
    try:
        _snapshot(running, "err")
        yield
    finally:
        folder.rmdir()
        _snapshot(running, "ok")
        running.admin.config_set("save", "")


def _snapshot(running: Running, outcome: str) -> None:
    running.admin.bgsave()
    wait_until(
        lambda: running.admin.info("persistence")["rdb_last_bgsave_status"] == outcome,
        description=f"the snapshot is {outcome}",
    )


@contextlib.contextmanager
def _script_that_runs_for_ever(running: Running) -> Iterator[None]:
    running.admin.config_set("lua-time-limit", "20")

    def run() -> None:
        with (
            redis.Redis.from_url(running.redis.url, socket_timeout=60) as client,
            contextlib.suppress(redis.ResponseError),
        ):
            client.eval("while true do end", 0)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(redis.ResponseError):
            running.admin.script_kill()
        thread.join()


@contextlib.contextmanager
def _stopped(running: Running) -> Iterator[None]:
    os.kill(running.redis.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(running.redis.pid, signal.SIGCONT)


@contextlib.contextmanager
def _paused(running: Running) -> Iterator[None]:
    with redis.Redis.from_url(running.redis.url) as client:
        client.client_pause(60_000, all=False)  # writes: else nothing could end it
        try:
            yield
        finally:
            client.client_unpause()


@pytest.mark.parametrize(
    "refuse",
    [
        _setting("min-replicas-to-write", "1", "0"),
        _setting("maxmemory", "1", "0"),
        _setting("requirepass", "other", ""),
        _replica_of_nobody,
        _failed_snapshot,
        _script_that_runs_for_ever,
        _paused,
        _stopped,
    ],
    ids=["replicas", "memory", "password", "replica", "snapshot", "script", "pause", "stop"],
)
def test_refusals_of_a_real_server(running: Running, refuse: Refusal) -> None:
    """As those of the table, from the server itself."""
    polling = running.poll_until_it_runs()
    with refuse(running):
        if (
            refuse.__qualname__.startswith("_setting")
            and running.admin.config_get("requirepass")["requirepass"]
        ):
            running.muting.cut()  # a password is asked of new connections only
        running.assert_refuses_well()
    polling.assert_answered()
    running.assert_all_is_well()


def test_scripts_flushed_again_and_again(running: Running) -> None:
    """Scripts that the server has forgotten are sent along: nobody notices."""
    over = threading.Event()

    def flush() -> None:
        with redis.Redis.from_url(running.redis.url) as client:
            while not over.is_set():
                client.script_flush()

    thread = threading.Thread(target=flush)
    thread.start()
    try:
        for _ in range(3):
            polling = running.poll_until_it_runs()
            polling.assert_answered()
            assert polling.statuses == {200}
    finally:
        over.set()
        thread.join()
    running.assert_all_is_well()
