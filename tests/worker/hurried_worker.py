"""`python -m tests.worker.hurried_worker`: a worker to which each second is one of many.

Only where it chooses the number of its processes: the last one goes after six seconds without
anything to do, and not after ten minutes.
"""

from __future__ import annotations

import sys
import time

from doneyet.command.setting_options import settings_from
from doneyet.settings import WORKER
from worker.program import run

TIMES = 100


def hurried() -> float:
    """Seconds of a clock that goes as much faster."""
    return TIMES * time.monotonic()


if __name__ == "__main__":
    sys.exit(run(settings_from(WORKER, sys.argv[1:]), clock=hurried))
