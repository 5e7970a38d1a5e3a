"""Trying again what failed for a reason that passes."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from doneyet.task_types.batch.storage.errors import said

log = logging.getLogger(__name__)

Value = TypeVar("Value")

MOST_TRIES = 8
PATIENCE_S = 30.0
"""No new try begins later than this after the first one."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 8.0


def patiently(
    call: Callable[[], Value],
    is_transient: Callable[[Exception], bool],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Value:
    """What `call` returns, tried again with growing pauses while its errors are transient.

    Raises:
        Exception: what `call` raised last, or what `sleep` raises.
    """
    give_up_at = time.monotonic() + PATIENCE_S
    for tried in itertools.count(1):
        try:
            return call()
        except Exception as error:
            longest = min(FIRST_PAUSE_S * 2 ** (tried - 1), LONGEST_PAUSE_S)
            # Half of it is chance, so that many jobs that failed together come back apart.
            pause = longest * random.uniform(0.5, 1)
            over = tried == MOST_TRIES or time.monotonic() + pause > give_up_at
            if over or not is_transient(error):
                raise
            log.info("Storage: %s; trying again", said(error))
        sleep(pause)
    raise AssertionError("unreachable")
