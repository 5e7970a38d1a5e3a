"""A process that a program of ours starts to run tasks in, and with it whatever that starts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Sequence

from doneyet.fresh_python import python_command, python_environment, without_settings
from doneyet.process_tree import MARK, held_signals, kill_remains, new_mark
from doneyet.settings import Settings


class OwnProcess:
    """A fresh interpreter that runs `module` with these settings.

    A session of its own keeps terminal signals from it. Whatever it started ends with it; should
    this program be killed, it has `grace_s` to end. Signals in `held` wait until it calls
    `ignore_signals`.
    """

    def __init__(
        self,
        settings: Settings,
        module: str,
        *arguments: str,
        grace_s: float,
        held: Collection[signal.Signals] = (),
        stdin: int = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._mark = new_mark(grace_s)
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
        self._lock = threading.Lock()

    def send_signal(self, number: signal.Signals) -> None:
        """To the process alone; nothing where it has ended.

        Not by `Popen.send_signal`, which waits for a process that has ended: who started what
        could not be told any more.
        """
        with self._lock:
            if self._process.returncode is None:
                os.kill(self.pid, number)  # if it has ended, its number is kept until `_end`

    def kill(self) -> None:
        """SIGKILL; `exit_code` then tells the rest."""
        self.send_signal(signal.SIGKILL)

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
        with self._lock:
            if self._process.returncode is None:
                # Not reaped before its group was killed: its number might be another's by then.
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | options) is None:
                    return None
                kill_remains(self.pid, self._mark)
            return self._process.wait()


def describe_exit(code: int) -> str:
    """`was ended by SIGKILL`, `exited with 3`."""
    if code >= 0:
        return f"exited with {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
