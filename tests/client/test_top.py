"""`doneyet top`: what it shows, how it is refreshed, and that it leaves the terminal as it was."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from doneyet.command.asking import main
from doneyet.command.rates import Rates
from tests.client.conftest import MakeStub
from tests.client.stub_server import RESET, Asked, Says, StubServer
from tests.helpers import wait_until


class Busy:
    """A server of two types, of which one ends a task at each look."""

    def __init__(self) -> None:
        self.done = 0
        self.is_down = False
        self.lacks: list[str] = []

    def answer(self, asked: Asked) -> Says:
        """Of `/load` and `/history`."""
        if self.is_down:
            return RESET
        if asked.path == "/load":
            idle = {"load": 0, "waiting": 0, "running": 0, "workers": 0, "paused": False}
            busy = idle | {"waiting": 7, "running": 2, "workers": 3, "oldest_waiting_s": 90.0}
            types = {"idle": idle | {"oldest_waiting_s": None}, "busy": busy}
            lacks = {"unavailable": self.lacks} if self.lacks else {}
            return Says(200, {"types": types, **lacks})
        assert asked.path == "/history?minutes=20"
        self.done += 1
        now = int(time.time() // 60) * 60
        nothing = [0] * 20
        types = {
            "idle": {"done": nothing, "failed": nothing},
            "busy": {"done": [*range(19), self.done], "failed": nothing},
        }
        return Says(200, {"minutes": [now + 60 * n for n in range(-19, 1)], "types": types})


@pytest.fixture
def busy() -> Busy:
    """What the server tells."""
    return Busy()


@pytest.fixture
def server(stub: MakeStub, busy: Busy) -> StubServer:
    """It."""
    return stub(busy.answer)


def test_it_is_printed_once_without_a_terminal(
    server: StubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Busy types first; a bar for each of the last 20 minutes."""
    assert main(["--url", server.url, "top"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    columns = "TYPE WAITING RUNNING WORKERS DONE/S FAILED/S OLDEST 20 MINUTES"
    assert " ".join(head.split()) == columns
    assert first.split()[:4] == ["busy", "7", "2", "3"]
    assert "1.5 min" in first
    assert first[-2] in "█@"
    assert second.split() == ["idle", "0", "0", "0", "0.0", "0.0", "-"]


def test_types_that_are_not_known_are_named(
    busy: Busy, server: StubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a part of Redis is away; there is no row of zeros for them."""
    busy.lacks = ["gone", "lost"]
    assert main(["--url", server.url, "top"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3:] == ["Redis does not answer for gone", "Redis does not answer for lost"]
    assert main(["--url", server.url, "top", "--json", "--once"]) == 0
    assert json.loads(capsys.readouterr().out)["unavailable"] == ["gone", "lost"]


def test_json_for_programs(server: StubServer, capsys: pytest.CaptureFixture[str]) -> None:
    """An object a line."""
    assert main(["--url", server.url, "top", "--json", "--once"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)["types"]["busy"]
    assert (told["waiting"], told["running"], told["oldest_waiting_s"]) == (7, 2, 90)
    assert len(told["ended_by_minute"]) == 20


def test_json_goes_on(server: StubServer) -> None:
    """A line a second, until nobody reads any more."""
    command = [sys.executable, "-m", "doneyet", "top", "--json", "--url", server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.stdout.close()
        process.wait(10)
    assert [each["types"]["busy"]["done_per_s"] > 0 for each in lines[1:]] == [True, True]


@dataclass
class Terminal:
    """A program in a terminal of its own, and what it wrote so far."""

    process: subprocess.Popen[bytes]
    keyboard: int
    shown: bytes = b""

    def wait_for(self, text: bytes) -> None:
        """Until that was written."""

        def is_shown() -> bool:
            if select.select([self.keyboard], [], [], 0.05)[0]:
                self.shown += os.read(self.keyboard, 65536)
            return text in self.shown

        wait_until(is_shown, description=f"{text!r} is shown")


@contextmanager
def in_terminal(server: StubServer) -> Iterator[Terminal]:
    """`doneyet top` there."""
    keyboard, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    command = [sys.executable, "-m", "doneyet", "top", "--url", server.url]
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        yield Terminal(process, keyboard)
        process.wait(10)
        assert termios.tcgetattr(terminal) == before
    os.close(terminal)
    os.close(keyboard)


def test_q_ends_it(server: StubServer, busy: Busy) -> None:
    """It is refreshed meanwhile, also where the server is away for a while."""
    with in_terminal(server) as terminal:
        terminal.wait_for(b"q: quit")
        busy.is_down = True
        terminal.wait_for(b"UnavailableError")
        busy.is_down = False
        terminal.shown = b""
        terminal.wait_for(b"q: quit")
        os.write(terminal.keyboard, b"xq")
        terminal.wait_for(b"\x1b[?1049l")
    assert terminal.process.returncode == 0


def test_an_interrupt_ends_it(server: StubServer) -> None:
    """As q does."""
    with in_terminal(server) as terminal:
        terminal.wait_for(b"q: quit")
        terminal.process.send_signal(2)
        terminal.wait_for(b"\x1b[?1049l")
    assert terminal.process.returncode == 0


def test_no_server_is_told(server: StubServer, busy: Busy) -> None:
    """One line and exit code 3, where it is away from the start."""
    busy.is_down = True
    assert main(["--url", server.url, "top"]) == 3


def test_rates() -> None:
    """Of the last minutes at first; then of the last ten seconds, across the turn of a minute."""
    rates = Rates()
    rates.see(0, 600 + 30, {"a": {540: 60, 600: 30, 480: 1000}})
    assert rates.per_s("a") == 1
    assert rates.per_s("unknown") == 0
    rates.see(5, 600 + 35, {"a": {540: 60, 600: 40}})
    assert rates.per_s("a") == 2
    rates.see(10, 600 + 62, {"a": {600: 45, 660: 5}})
    assert rates.per_s("a") == 2
    rates.see(15, 600 + 67, {"a": {600: 45, 660: 5}})
    assert rates.per_s("a") == 1
