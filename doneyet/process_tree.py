"""What a worker process started and left behind: ended with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

MARK = "STARTED_BY_DONEYET"
"""Environment variable by which the processes that a worker process started are known. Whoever is
meant to outlive it is started without it, and in a session of its own."""

_PROC = Path("/proc")


def kill_remains(pid: int, mark: str) -> None:
    """Kills the group of the worker process `pid`, which has ended and was not waited for yet.

    Those too that left the group, where the system tells what environment a process was started
    with (Linux): daemons, and sessions of their own.
    """
    # Again and again, since one may have started another before it was killed.
    while others := list(_marked(f"{MARK}={mark}".encode(), besides=pid)):
        for other in others:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(other, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_own_remains() -> None:
    """For a worker process without a supervisor, as its last act: kills what it started, and
    itself, since it leads the group."""
    if mark := os.environ.get(MARK):
        kill_remains(os.getpid(), mark)


def kill_own_group_after(delay_s: float) -> subprocess.Popen[bytes]:
    """Starts what kills this worker process and its group then, whatever holds the interpreter."""
    kept = {name: text for name, text in os.environ.items() if name != MARK}
    command = f"sleep {delay_s:.3f}; kill -KILL -{os.getpgrp()}"
    return subprocess.Popen(["/bin/sh", "-c", command], env=kept, start_new_session=True)


def _marked(entry: bytes, besides: int) -> Iterator[int]:
    """Living processes in whose environment `entry` stands."""
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(folder.name)
            # Of a process that has ended it is empty, or not to be read.
            if pid != besides and entry in (folder / "environ").read_bytes().split(b"\0"):
                yield pid
