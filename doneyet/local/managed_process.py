"""One program of the system, running as a child that ends with its parent."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from doneyet.local import orphan_guard

LOG_TAIL_BYTES = 4_000
FIRST_PORT, PAST_LAST_PORT = 10_000, 32_768
STOP_TIMEOUT_S = 5.0
"""How much longer than the grace time the end of a program may take."""


class PartError(RuntimeError):
    """Raised when a program of the system did not start or has ended; says its last words."""


class Part:
    """One program. `name` is what people call it: `the HTTP server`.

    It ends when this process does, however that happens: `orphan_guard` watches over it.

    Args:
        name: in messages.
        command: the program and its arguments.
        environ: its environment.
        grace_s: how long it may take to end after SIGTERM.
        show_log: whether its log goes to our standard error; else it is kept for `log_tail`.
        directory: removed when this process has ended without stopping the program.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        grace_s: float,
        show_log: bool = False,
        directory: Path | None = None,
    ) -> None:
        self.name = name
        self._grace_s = grace_s
        # Without a name, so that nothing is left of it whatever happens.
        self._log = None if show_log else tempfile.TemporaryFile()  # noqa: SIM115
        self._keeper = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                orphan_guard.__file__,
                str(grace_s),
                str(directory or ""),
                *command,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=dict(environ),
            start_new_session=True,  # Ctrl-C reaches us alone, who stop the parts in order
        )
        assert self._keeper.stdout is not None
        line = self._keeper.stdout.readline()
        if not line:
            error = PartError(self.said(f"{name} could not be started"))
            self.stop()
            raise error
        self.pid = int(line)

    @property
    def running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._keeper.poll() is None

    def check(self) -> None:
        """Does nothing while the program runs.

        Raises:
            PartError: it has ended.
        """
        code = self._keeper.poll()
        if code is not None:
            how = f"by signal {code - 128}" if code > 128 else f"with exit code {code}"
            raise PartError(self.said(f"{self.name} ended {how}"))

    def said(self, message: str) -> str:
        """`message`, followed by the end of the program's log."""
        tail = self.log_tail()
        return f"{message}; the end of its log:\n{tail}" if tail else message

    def log_tail(self) -> str:
        """The last lines of the log; empty where it was shown already."""
        if self._log is None or self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        # `pread`, since the program writes at the same file position that `read` would move.
        tail = os.pread(self._log.fileno(), LOG_TAIL_BYTES, max(0, size - LOG_TAIL_BYTES))
        return tail.decode(errors="replace").strip()

    def kill(self) -> None:
        """SIGKILL to the program alone, as a crash would end it."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after the grace time; safe to call twice."""
        if self._keeper.stdin is not None and not self._keeper.stdin.closed:
            self._keeper.stdin.close()
        self._wait()
        if self._keeper.stdout is not None:
            self._keeper.stdout.close()
        if self._log is not None:
            self._log.close()

    def _wait(self) -> None:
        try:
            self._keeper.wait(self._grace_s + STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._keeper.kill()
            self._keeper.wait()


def free_port() -> int:
    """A loopback port that nobody uses now.

    Where there is one, below those that systems give to outgoing connections: one of these could
    take it before whoever asked listens there.
    """
    for _ in range(100):
        port = FIRST_PORT + secrets.randbelow(PAST_LAST_PORT - FIRST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
