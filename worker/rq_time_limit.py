"""The time limit of one job, in fractions of a second, in the process that runs it."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn

from worker.rq_job import OutOfTimeError


class TimeLimit:
    """What RQ calls a death penalty: after `timeout` seconds it raises in the main thread.

    Python code is interrupted at once, a library that is in C for long not before it returns; the
    supervisor kills the process then. A timeout that is not positive is no limit.
    """

    def __init__(self, timeout: float, exception: Any = None, **details: Any) -> None:
        on_main_thread = threading.current_thread() is threading.main_thread()
        self._timeout_s = timeout if timeout > 0 and on_main_thread else 0.0

    def __enter__(self) -> None:
        if self._timeout_s:
            self._former = signal.signal(signal.SIGALRM, self._raise)
            signal.setitimer(signal.ITIMER_REAL, self._timeout_s)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timeout_s:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._former)

    def _raise(self, number: int, frame: FrameType | None) -> NoReturn:
        raise OutOfTimeError(out_of_time(self._timeout_s))


def out_of_time(timeout_s: float) -> str:
    """What whoever asked is told."""
    return f"it ran longer than {timeout_s:g} s"
