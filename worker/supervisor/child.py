"""One worker process, as its supervisor sees it."""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import time

from doneyet.own_process import OwnProcess
from doneyet.settings import Settings
from task_manager.owners import new_owner
from worker.status_board import Run, StatusBoard, make_board_file


class Why(enum.Enum):
    """Why a supervisor kills a worker process."""

    TIMED_OUT = "a batch ran over its time limit"
    CANCELLED = "a task was cancelled"
    STOPPING = "the worker stops"


class Child(OwnProcess):
    """A process that runs `worker.process`, with a pipe to it and a board from it.

    The end of the pipe tells it that its supervisor is gone.
    """

    def __init__(self, settings: Settings, most_ids: int) -> None:
        board_fd = make_board_file(most_ids)
        control_fd, self._control = os.pipe()
        try:
            fds = (control_fd, board_fd)
            super().__init__(
                settings,
                "worker.process",
                *map(str, fds),
                grace_s=settings.grace_s,
                held=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
                pass_fds=fds,
            )
            self.board = StatusBoard(board_fd)
        finally:
            os.close(control_fd)
            os.close(board_fd)
        self.owner = new_owner(self.pid)
        self.serving = False
        self.killed: tuple[Why, Run | None] | None = None
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

    def kill(self, why: Why = Why.STOPPING, run: Run | None = None) -> None:
        """SIGKILL; `exit_code`, `killed` and the board then tell the rest."""
        if self.killed is None:
            self.killed = (why, run)
            super().kill()

    def close(self) -> None:
        """Lets go of what an ended process had."""
        os.close(self._control)
        self.board.close()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it died; its exit code will say so
            os.write(self._control, line.encode())
