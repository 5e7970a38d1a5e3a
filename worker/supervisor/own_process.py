"""A process that a supervisor starts, and with it whatever that starts."""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import subprocess
import time
from collections.abc import Collection, Sequence

from doneyet.fresh_python import python_command, python_environment, without_settings
from doneyet.process_tree import MARK, held_signals, kill_remains, new_mark
from doneyet.settings import Settings
from worker.status_board import Run

EXIT_NOT_LOADED = 3
"""What a worker process exits with that cannot load a task type; it has said why."""


class Why(enum.Enum):
    """Why a supervisor kills a worker process."""

    TIMED_OUT = "a batch ran over its time limit"
    CANCELLED = "a task was cancelled"
    STOPPING = "the worker stops"


class OwnProcess:
    """A fresh interpreter that runs `module` with these settings.

    A session of its own keeps terminal signals from it. Whatever it started ends with it. Signals
    in `held` wait until it calls `ignore_signals`.
    """

    def __init__(
        self,
        settings: Settings,
        module: str,
        *arguments: str,
        held: Collection[signal.Signals] = (),
        stdin: int = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._mark = new_mark(settings.grace_s)
        environment = {**without_settings(os.environ), **settings.to_environment()}
        with held_signals(*held):
            self._process = subprocess.Popen(
                python_command(module, *arguments),
                env={**python_environment(environment), MARK: self._mark},
                stdin=stdin,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.started_s = time.monotonic()
        self.killed: tuple[Why, Run | None] | None = None

    def kill(self, why: Why, run: Run | None = None) -> None:
        """SIGKILL; `exit_code` and the board, if there is one, then tell the rest."""
        if self.killed is None:
            self.killed = (why, run)
            self._process.send_signal(signal.SIGKILL)

    @property
    def exit_code(self) -> int | None:
        """None while it lives; negative: the signal that ended it."""
        return self._end(os.WNOHANG)

    def wait(self) -> int:
        """Waits for its end, which is near once it was killed; its exit code."""
        code = self._end(0)
        assert code is not None
        return code

    def _end(self, options: int) -> int | None:
        """Its exit code once it has ended and what it started was killed."""
        if self._process.returncode is None:
            # Not reaped before its group was killed: its number might be somebody else's by then.
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | options) is None:
                return None
            kill_remains(self.pid, self._mark)
        return self._process.wait()


def describe_exit(code: int) -> str:
    """`ended by SIGKILL`, `exited with 3`."""
    if code >= 0:
        return f"exited with {code}"
    with contextlib.suppress(ValueError):
        return f"ended by {signal.Signals(-code).name}"
    return f"ended by signal {-code}"
