"""How a server starts, drains, ends, and lives through the absence of Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from doneyet.local.embedded_redis import EmbeddedRedis
from http_server.redis_outage import QUIET_S
from tests.faults.redis.refusing_redis import RefusingRedis
from tests.helpers import children_of, wait_until
from tests.http.conftest import TASKS
from tests.http.servers import ROOT, ServerProcess, free_port, is_live, serving
from tests.stopwatch import Stopwatch


def test_a_taken_port_is_one_line() -> None:
    """A second server on the same port says so and ends."""
    with serving() as first:
        ended = start_and_end("--port", str(first.port))
        assert ended.returncode == 1
        assert ended.stderr.splitlines() == [
            f"http_server: cannot listen on 127.0.0.1:{first.port}: Address already in use"
        ]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--tasks", "no_such_module"], "'no_such_module' cannot be imported"),
        (["--port", "high"], "--port must be a whole number, not 'high'"),
        (["--port", "70000"], "cannot listen on 127.0.0.1:70000"),
        (
            ["--host", "no.such.host.invalid", "--allow-no-keys", "true"],
            "cannot listen on no.such.host.invalid",
        ),
        (["--redis-url", "http://x"], "must begin with redis://"),
        (["--input-db", "0"], "DONEYET_INPUT_DB"),
        (["--distributed", "--ordered"], "choose one queue mode: distributed and ordered"),
        (["--queue-mode", "random", "--rq"], "choose one queue mode: random and rq"),
    ],
)
def test_junk_is_one_line(flags: list[str], said: str) -> None:
    """Junk in the settings is refused at start with the name and the value."""
    ended = start_and_end(*flags)
    assert ended.returncode in (1, 2)
    assert said in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("raised", ["ValueError('no weights')", "SystemExit('no weights')"])
def test_a_model_that_cannot_be_loaded_is_told_in_a_line(raised: str, tmp_path: Path) -> None:
    """Where the server itself loads models, it ends, and says which and why."""
    (tmp_path / "unloadable.py").write_text(
        "from pydantic import BaseModel\n"
        "from doneyet import TaskType\n"
        "class Unloadable(TaskType):\n"
        "    name, endpoint = 'unloadable', '/unloadable'\n"
        "    Input = Output = type('Empty', (BaseModel,), {})\n"
        f"    def load(self): raise {raised}\n"
        "    def run(self, inputs): return inputs\n"
    )
    ended = start_and_end("--synchronous", "--tasks", str(tmp_path / "unloadable.py"))
    assert ended.returncode == 1
    kind = raised.partition("(")[0]
    wanted = f"http_server: task type unloadable cannot be loaded: {kind}: no weights"
    assert wanted in ended.stderr.splitlines()
    assert "Traceback" not in ended.stderr


def test_it_says_where_it_is_without_passwords() -> None:
    """One line tells the address, the queue mode and Redis' place; no password shows."""
    server = ServerProcess(redis_url="redis://user:hunter2@127.0.0.1:1/0")
    response = requests.post(f"{server.url}/factorize", json={"number": 6}, timeout=5)
    errors = server.stop()
    assert errors.splitlines()[1] == (
        f"http_server: {server.url} (random queue mode, Redis at redis://***@127.0.0.1:1/0)"
    )
    assert "hunter2" not in errors + response.text


def test_drain(redis_url: str) -> None:
    """SIGTERM: waiting requests are answered 202 at once, /readyz is 503 meanwhile, and the
    process ends within seconds with code 0."""
    server = ServerProcess(redis_url=redis_url)
    try:
        assert requests.get(f"{server.url}/readyz", timeout=5).ok
        responses: list[requests.Response] = []
        thread = threading.Thread(target=lambda: responses.append(ask(server, 12, wait=20)))
        thread.start()
        wait_until(lambda: load(server) == 1, description="the question waits")
        with requests.Session() as session:
            session.get(f"{server.url}/readyz", timeout=5)
            watch = Stopwatch()
            server.process.send_signal(signal.SIGTERM)
            wait_until(
                lambda: session.get(f"{server.url}/readyz", timeout=5).status_code == 503,
                description="the server says that it drains",
            )
        thread.join()
        assert responses[0].status_code == 202
        assert "Preference-Applied" not in responses[0].headers
        assert server.process.wait(timeout=10) == 0
        assert watch.within_s(4), watch
    finally:
        end(server)


def test_what_runs_here_may_finish() -> None:
    """In the synchronous queue mode a drain lets the running task end."""
    with serving("--synchronous", "--tasks", TASKS) as server:
        answers: list[Any] = []
        thread = threading.Thread(
            target=lambda: answers.append(
                requests.post(f"{server.url}/sleep", json={"seconds": 1.5}, timeout=10).json()
            )
        )
        thread.start()
        wait_until(lambda: load(server) == 1, description="the task runs")
        server.process.send_signal(signal.SIGTERM)
        thread.join()
        assert answers == [{"seconds": 1.5, "slept": True}]


def test_redis_goes_and_comes_back() -> None:
    """Without Redis: 503 within 2 s, live but not ready. With Redis again: well by itself."""
    with EmbeddedRedis(append_only=True) as redis, serving(redis_url=redis.url) as server:
        before = ask(server, 12).json()
        redis.kill()
        wait_until(lambda: ready(server).status_code == 503, description="Redis is missed")
        calls: list[Callable[[], requests.Response]] = [
            lambda: ask(server, 13),
            lambda: ask(server, 12, wait=20),
            lambda: ready(server),
        ]
        for call in calls:
            watch = Stopwatch()
            response = call()
            assert watch.within_s(2), watch
            assert response.status_code == 503
            assert response.headers["Retry-After"] == "1"
            assert response.headers["Content-Type"] == "application/problem+json"
        assert is_live(server.url)
        redis.start()
        wait_until(lambda: ready(server).ok, description="the server is ready again")
        wait_until(lambda: ask(server, 12).ok, description="questions are answered again")
        assert ask(server, 12).json()["id"] == before["id"]


def test_it_starts_without_redis() -> None:
    """A server whose Redis is not there yet serves what it can."""
    with serving() as server:
        assert ready(server).status_code == 503
        assert requests.get(f"{server.url}/openapi.json", timeout=5).ok
        assert ask(server, 0).status_code == 422


def test_a_redis_that_comes_while_the_server_starts_is_told() -> None:
    """Whoever said that it was not there is not whoever finds it there; still its end is told."""
    with EmbeddedRedis(tcp=True) as redis, RefusingRedis(redis.url) as refusing:
        refusing.refuse("MASTERDOWN")
        before = grandchildren()

        def relent() -> None:
            wait_until(lambda: grandchildren() - before, description="the server process starts")
            refusing.relent()

        thread = threading.Thread(target=relent)
        thread.start()
        server = ServerProcess(redis_url=refusing.url)
        thread.join()
        calm_s = time.monotonic() + 2 * QUIET_S
        wait_until(
            lambda: ask(server, 12).ok and time.monotonic() > calm_s,
            description="questions are answered for a while",
        )
        log = server.stop()
    said = [line for line in log.splitlines() if "Redis" in line and "queue mode" not in line]
    assert "serving without it until it comes" in said[0]
    assert "Redis is back after" in said[-1]


def grandchildren() -> set[int]:
    """Processes of the programs that this test has started."""
    return {child for program in children_of(os.getpid()) for child in children_of(program)}


def test_nobody_is_left_when_the_parent_is_killed() -> None:
    """SIGKILL of the parent ends its server process, so that the port is free again."""
    server = ServerProcess()
    child = server.child()
    server.process.kill()
    server.process.communicate(timeout=5)
    wait_until(lambda: not is_alive(child), description="the server process has ended")
    assert not is_live(server.url)


def test_synchronous_needs_no_redis() -> None:
    """The seed's synchronous example: one request, the answer alone."""
    with serving("--synchronous") as server:
        response = ask(server, 408216)
        assert response.status_code == 200
        assert response.json() == {
            "factorization": [[2, 3], [3, 1], [73, 1], [233, 1]],
            "factorization_str": "2^3 3^1 73^1 233^1",
            "number": 408216,
        }
        several = requests.post(
            f"{server.url}/factorize", json=[{"number": 6}, {"number": 1}], timeout=5
        ).json()
        assert several[0]["factorization_str"] == "2^1 3^1"
        assert several[1]["status"] == 422
        assert ready(server).ok
        assert requests.get(f"{server.url}/load", timeout=5).json()["load"] == 0


def start_and_end(*flags: str) -> subprocess.CompletedProcess[str]:
    """A server that ends by itself."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DONEYET_")}
    flags = flags if "--port" in flags else ("--port", str(free_port()), *flags)
    return subprocess.run(
        [sys.executable, "-m", "http_server", *flags],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def end(server: ServerProcess) -> None:
    """Ends a server that a failed test left."""
    if server.process.poll() is None:
        server.process.kill()
    server.process.communicate(timeout=5)


def ask(server: ServerProcess, number: int, wait: int = 0) -> requests.Response:
    """One question."""
    headers = {"Prefer": f"wait={wait}"} if wait else {}
    return requests.post(
        f"{server.url}/factorize", json={"number": number}, headers=headers, timeout=25
    )


def load(server: ServerProcess) -> int:
    """The load of all types."""
    return int(requests.get(f"{server.url}/load", timeout=5).json()["load"])


def ready(server: ServerProcess) -> requests.Response:
    """What `/readyz` says."""
    return requests.get(f"{server.url}/readyz", timeout=5)


def is_alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_ends_no_server(unbuffered: str) -> None:
    """What it says at its start goes nowhere then, as its log does; with Python's buffers too."""
    port = free_port()
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "http_server", "--synchronous", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stderr=full,
        )
    try:
        wait_until(lambda: is_live(f"http://127.0.0.1:{port}"), description="it serves")
    finally:
        process.terminate()
        assert process.wait(20) == 0
