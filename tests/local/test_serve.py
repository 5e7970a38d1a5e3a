"""`make serve`: up until it is told to stop, and then nothing is left."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from client import Client
from tests.local.processes import marked, new_mark


@pytest.mark.parametrize(
    ("signal_number", "exit_code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_serve_says_how_to_ask_and_stops_in_order(
    tmp_path: Path, signal_number: int, exit_code: int
) -> None:
    """The commands that it prints work; Ctrl-C or SIGTERM stops everything."""
    mark = new_mark()
    with subprocess.Popen(
        [sys.executable, "-m", "local", "serve", "--port", "0", "--processes", "1"],
        env={**os.environ, **mark, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as served:
        assert served.stderr is not None
        told = ""
        while "Ctrl-C stops it" not in told:
            line = served.stderr.readline()
            assert line, told
            told += line
        url = re.search(r"doneyet is up at (\S+)", told)
        assert url is not None
        with Client(url[1]) as client:
            assert client.run("factorize", number=35)["factorization_str"] == "5^1 7^1"
        command = next(line for line in told.splitlines() if "python -m client" in line)
        arguments = shlex.split(command)[1:]
        asked = subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        assert b"2^3 3^1 73^1 233^1" in asked.stdout
        served.send_signal(signal_number)
        assert served.wait(30) == exit_code
    assert marked(mark) == []
    assert list(tmp_path.iterdir()) == []
