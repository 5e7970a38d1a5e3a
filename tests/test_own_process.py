"""Processes that programs of ours start."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from doneyet.own_process import OwnProcess, describe_exit
from doneyet.settings import Settings
from tests.faults.handlers.test_misbehaving import is_alive, wait_until_ended
from tests.helpers import wait_until

MODULE = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1], "w") as file:
    file.write(f"{child.pid}\\n")
os._exit(5)
"""


def test_what_it_started_ends_with_it_whenever_it_is_signalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it has ended, unnoticed, before it was signalled."""
    (tmp_path / "starting.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    note = tmp_path / "child"
    process = OwnProcess(Settings(), "starting", str(note), grace_s=0)
    wait_until(lambda: note.exists() and note.read_text().endswith("\n"), description="it began")
    wait_until(lambda: _has_ended(process.pid), description="it has ended")
    child = int(note.read_text())
    assert is_alive(child)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == process.exit_code == 5
    wait_until_ended(child)
    process.kill()  # does nothing: the number may be another's by now


def test_how_it_ended() -> None:
    assert describe_exit(3) == "exited with 3"
    assert describe_exit(-9) == "was ended by SIGKILL"
    assert describe_exit(-99) == "was ended by signal 99"


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
