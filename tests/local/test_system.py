"""The whole system: it is ready when it says so, and tells what is wrong when it is not."""

from __future__ import annotations

import io
import socket
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from doneyet.client import Client, UnauthorizedError
from doneyet.local import console
from doneyet.local.managed_process import PartError
from doneyet.local.system import System
from tests.helpers import wait_until
from tests.http.keys.conftest import line
from tests.local.processes import marked, new_mark


@pytest.mark.parametrize("queue_mode", ["random", "distributed", "ordered", "rq"])
def test_questions_are_answered_as_soon_as_it_is_started(queue_mode: str) -> None:
    """And nothing is left of it afterwards."""
    mark = new_mark()
    with System(queue_mode=queue_mode, processes=1, settings=mark) as system:
        with Client(system.url) as client:
            answer = client.run("factorize", number=408216, timeout_s=20)
        assert answer["factorization_str"] == "2^3 3^1 73^1 233^1"
        assert len(marked(mark)) >= 4
    assert marked(mark) == []


def test_a_worker_without_processes_serves() -> None:
    """What is asked for starts one: everybody who asks is told that somebody works on it."""
    with System(processes="0..2") as system, Client(system.url) as client:
        assert client.load("factorization")["workers"] == 1
        assert client.workers()[0]["running_count"] == 0
        answer = client.run("factorize", number=408216, timeout_s=30)
        assert answer["factorization_str"] == "2^3 3^1 73^1 233^1"
        wait_until(
            lambda: client.load("factorization")["workers"] == 1, description="nobody stands in"
        )


def test_synchronous_needs_only_the_server() -> None:
    """No Redis, no worker."""
    with System(queue_mode="synchronous") as system, Client(system.url) as client:
        assert (system.redis, system.worker) == (None, None)
        answer = client.ask("factorize", number=408216)
        assert answer["factorization_str"] == "2^3 3^1 73^1 233^1"


@pytest.mark.parametrize("queue_mode", ["random", "synchronous"])
def test_a_system_with_keys(queue_mode: str, tmp_path: Path) -> None:
    """It starts, though its own look at /load is refused; who has a key is answered."""
    path = tmp_path / "keys.txt"
    path.write_text(line("a", "ask", "dyk_mine"))
    keys = {"DONEYET_KEYS": str(path)}
    with System(queue_mode=queue_mode, processes=1, settings=keys) as system:
        with Client(system.url, key="dyk_mine") as client:
            answer = client.run("factorize", number=408216, timeout_s=30)
        assert answer["factorization_str"] == "2^3 3^1 73^1 233^1"
        with Client(system.url, key="") as client, pytest.raises(UnauthorizedError):
            client.ask("factorize", number=408216)


def test_a_port_in_use_is_told_at_once() -> None:
    """With what to do about it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PartError, match=f"port {port} is in use; .*--port"):
            System(port=port).start()


def test_a_part_that_does_not_start_is_told_with_its_log() -> None:
    """And what had started before it is stopped."""
    mark = new_mark()
    system = System(worker_arguments=["--no-such-flag"], settings=mark)
    with pytest.raises(PartError, match=r"the worker ended with exit code 2(?s:.)*--no-such-flag"):
        system.start()
    assert marked(mark) == []


def test_a_part_that_ends_is_noticed() -> None:
    """`check` says which one it was."""
    with System(processes=1) as system:
        system.check()
        assert system.worker is not None
        system.worker.kill()
        with pytest.raises(PartError, match="the worker ended by signal 9"):
            system.check()


def test_what_takes_long_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, and only when it takes longer than a person waits without asking."""
    told = io.StringIO()
    with redirect_stderr(told):
        with console.saying("Resting"):
            pass
        assert told.getvalue() == ""
        monkeypatch.setattr(console, "PATIENCE_S", 0.01)
        with console.saying("Starting the worker"):
            wait_until(told.getvalue, description="a line was said")
    assert told.getvalue() == "Starting the worker ...\n"
    assert sys.stderr is not told
