"""What a worker process started and left behind: ended with it. And what it is deaf to meanwhile.

Run by its path, with nothing but the standard library, this file is the guard: it ends worker
processes, and what they started, where the program that started them was killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "STARTED_BY_DONEYET"
"""Environment variable by which the processes that a worker process started are known. Whoever is
meant to outlive it is started without it, and in a session of its own."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PROC = Path("/proc")
_LOOK_EVERY_S = 0.2


class _Guard:
    """The guard of this program: started with the first process that it is to watch, and again
    should it be gone."""

    process: subprocess.Popen[bytes] | None = None
    mark = ""


def new_mark(grace_s: float) -> str:
    """The `MARK` of a worker process that this program is about to start.

    Should this program be killed, all that bears one of its marks has `grace_s` to end. Then it is
    killed by the guard, a process of its own, whatever holds the interpreter of the worker process.
    """
    if _Guard.process is None or _Guard.process.poll() is not None:
        _Guard.mark = secrets.token_hex(8)
        with held_signals(*_ENDING):
            _Guard.process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, _Guard.mark, str(grace_s)],
                env={name: text for name, text in os.environ.items() if name != MARK},
                stdin=subprocess.PIPE,  # closes when this program ends, however that happens
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
    return f"{_Guard.mark}-{secrets.token_hex(8)}"


@contextlib.contextmanager
def held_signals(*numbers: signal.Signals) -> Iterator[None]:
    """Programs that are started meanwhile get none of these before they call `ignore_signals`.

    A signal to all processes of a service may meet one whose interpreter has only begun to start.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_signals(*numbers: signal.Signals) -> None:
    """For a program that another one ends in another way: these do nothing, held ones neither."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether `process` has ended; it is not waited for, so its number is kept meanwhile."""
    if process.returncode is not None:
        return True
    ended = os.WEXITED | os.WNOWAIT | os.WNOHANG
    return os.waitid(os.P_PID, process.pid, ended) is not None


def kill_remains(pid: int, mark: str) -> None:
    """Kills the group of the worker process `pid`, which has ended and was not waited for yet.

    Those too that left the group, where the system tells what environment a process was started
    with (Linux): daemons, and sessions of their own.
    """
    _kill_marked(mark, besides=pid)
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


def guard(mark: str, grace_s: float) -> None:
    """Waits for the end of standard input, then for that of all processes with `mark`; after
    `grace_s` kills them."""
    ignore_signals(*_ENDING)  # it ends with whom it guards
    while os.read(0, 1):
        pass
    ends_s = time.monotonic() + grace_s
    while any(_marked(mark, besides=os.getpid())):
        if time.monotonic() >= ends_s:
            _kill_marked(mark, besides=os.getpid())
        time.sleep(_LOOK_EVERY_S)


def _kill_marked(mark: str, besides: int) -> None:
    # Again and again, since one may have started another before it was killed.
    while others := list(_marked(mark, besides)):
        for other in others:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(other, signal.SIGKILL)


def _marked(mark: str, besides: int) -> Iterator[int]:
    """Living processes in whose environment `mark`, or what begins with it, stands."""
    entry = f"\0{MARK}={mark}".encode()
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(folder.name)
            # Of a process that has ended it is empty, or not to be read.
            if pid != besides and entry in b"\0" + (folder / "environ").read_bytes():
                yield pid


if __name__ == "__main__":
    guard(sys.argv[1], float(sys.argv[2]))
