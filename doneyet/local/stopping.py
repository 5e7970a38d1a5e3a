"""Signals and failures of whatever runs the system: it stops in order."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from doneyet.local.console import say
from doneyet.local.embedded_redis import NoServerError
from doneyet.local.managed_process import PartError

INTERRUPTED = 130


def stopped_in_order(do: Callable[[], int]) -> int:
    """The exit code of `do`: 1 where a part failed, and it says why."""
    signal.signal(signal.SIGTERM, _leave)
    # A script's `&` has a shell ignore it, which Python would keep; the other programs do not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # what `nohup` asks for
        signal.signal(signal.SIGHUP, _leave)
    try:
        return do()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (PartError, NoServerError) as error:
        say(str(error))
        return 1


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM and SIGHUP stop everything in order, as Ctrl-C does."""
    sys.exit(128 + number)
