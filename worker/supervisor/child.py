"""One worker process, as its supervisor sees it."""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import subprocess
import time

from doneyet.fresh_python import python_command, python_environment, without_settings
from doneyet.process_tree import MARK, held_signals, kill_remains, new_mark
from doneyet.settings import Settings
from worker.status_board import Run, StatusBoard, make_board_file
from worker.supervisor.owner import new_owner

EXIT_NOT_LOADED = 3
"""What a worker process exits with that cannot load a task type; it has said why."""


EXIT_BROKEN = 70
"""What a worker process exits with one of whose threads failed; it has said how. Any of the tasks
that it held may be to blame."""


class Why(enum.Enum):
    """Why a supervisor kills a worker process."""

    TIMED_OUT = "a batch ran over its time limit"
    CANCELLED = "a task was cancelled"
    STOPPING = "the worker stops"


class Child:
    """A fresh interpreter that runs `worker.process`, with a pipe to it and a board from it.

    A session of its own keeps terminal signals from it; the end of the pipe tells it that its
    supervisor is gone. Whatever it started ends with it.
    """

    def __init__(self, settings: Settings, most_ids: int) -> None:
        self._mark = new_mark(settings.grace_s)
        board_fd = make_board_file(most_ids)
        control_fd, self._control = os.pipe()
        try:
            with held_signals(signal.SIGINT, signal.SIGTERM):
                self._process = subprocess.Popen(
                    python_command("worker.process", str(control_fd), str(board_fd)),
                    env={**_environment(settings), MARK: self._mark},
                    stdin=subprocess.DEVNULL,
                    pass_fds=(control_fd, board_fd),
                    start_new_session=True,
                )
            self.board = StatusBoard(board_fd)
        finally:
            os.close(control_fd)
            os.close(board_fd)
        self.pid = self._process.pid
        self.owner = new_owner(self.pid)
        self.serving = False
        self.killed: tuple[Why, Run | None] | None = None
        self.started_s = time.monotonic()
        self.follows_a_death = False
        """Whether the process in whose place it is died while it ran a batch."""

    def serve(self) -> None:
        """Lets it claim tasks; its owner must be registered by now.

        After a death others come before suspects for as long as the start took, so that suspects
        never take more than half of the time.
        """
        self.serving = True
        suspects_in_s = time.monotonic() - self.started_s if self.follows_a_death else 0.0
        self._tell(f"serve {self.owner} {suspects_in_s:.3f}\n")

    def drain(self) -> None:
        """Lets it finish what it runs, give the rest back, and exit."""
        self._tell("drain\n")

    def kill(self, why: Why, run: Run | None = None) -> None:
        """SIGKILL; `exit_code` and the board then tell the rest."""
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

    def close(self) -> None:
        """Lets go of what an ended process had."""
        os.close(self._control)
        self.board.close()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it died; its exit code will say so
            os.write(self._control, line.encode())


def describe_exit(code: int) -> str:
    """`ended by SIGKILL`, `exited with 3`."""
    if code >= 0:
        return f"exited with {code}"
    with contextlib.suppress(ValueError):
        return f"ended by {signal.Signals(-code).name}"
    return f"ended by signal {-code}"


def _environment(settings: Settings) -> dict[str, str]:
    """This process' environment, with `settings` in the place of what it says of doneyet."""
    return python_environment({**without_settings(os.environ), **settings.to_environment()})
