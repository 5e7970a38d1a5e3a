"""`make serve`: up until it is told to stop, and then nothing is left."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from doneyet.client import Client
from tests.local.processes import marked, new_mark


@pytest.fixture(autouse=True)
def terminal_signals() -> Iterator[None]:
    """As programs of a terminal have them, whoever started the tests."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT)}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def read_welcome(program: subprocess.Popen[str]) -> str:
    """What it says on standard error until it is up."""
    assert program.stderr is not None
    told = ""
    while "Ctrl-C stops it" not in told:
        line = program.stderr.readline()
        assert line, told
        told += line
    return told


@pytest.mark.parametrize(
    ("signal_number", "exit_code"),
    [
        (signal.SIGINT, 0),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGHUP, 128 + signal.SIGHUP),
    ],
)
def test_serve_says_how_to_ask_and_stops_in_order(
    tmp_path: Path, signal_number: int, exit_code: int
) -> None:
    """The commands that it prints work; Ctrl-C or SIGTERM stops everything."""
    mark = new_mark()
    with subprocess.Popen(
        [sys.executable, "-m", "doneyet.local", "serve", "--port", "0", "--processes", "1"],
        env={**os.environ, **mark, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as served:
        told = read_welcome(served)
        url = re.search(r"doneyet is up at (\S+)", told)
        assert url is not None
        for page in ("dashboard", "docs"):
            assert f"{url[1]}/{page}" in told
            assert requests.get(f"{url[1]}/{page}", timeout=10).ok
        with Client(url[1]) as client:
            assert client.run("factorize", number=35)["factorization_str"] == "5^1 7^1"
        command = next(line for line in told.splitlines() if "python -m doneyet ask" in line)
        arguments = shlex.split(command)[1:]
        asked = subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        assert b"2^3 3^1 73^1 233^1" in asked.stdout
        served.send_signal(signal_number)
        assert served.wait(30) == exit_code
    assert marked(mark) == []
    assert list(tmp_path.iterdir()) == []


def test_background_jobs_of_scripts() -> None:
    """`nohup` is not undone; SIGINT, which a script's `&` has ignored, stops it nevertheless."""
    command = (
        f"nohup {shlex.quote(sys.executable)} -m doneyet.local serve --port 0 --processes 1 & wait"
    )
    mark = new_mark()
    with subprocess.Popen(
        ["sh", "-c", command], env={**os.environ, **mark}, stderr=subprocess.PIPE, text=True
    ) as shell:
        read_welcome(shell)
        served = next(
            int(line.split()[0])
            for line in marked(mark)
            if "-m doneyet.local serve" in line and "sh -c" not in line
        )
        os.kill(served, signal.SIGHUP)
        time.sleep(0.2)
        os.kill(served, signal.SIGINT)
        assert shell.stderr is not None
        assert "Stopping" in shell.stderr.read()
    assert marked(mark) == []
