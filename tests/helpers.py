"""What many tests need: waiting for something to become true."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(
    predicate: Callable[[], Value], *, description: str, timeout_s: float = 10.0
) -> Value:
    """The first true value of `predicate`, asked every 10 ms.

    Raises:
        AssertionError: `timeout_s` is over; says what was waited for.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > give_up_at:
            raise AssertionError(f"waited {timeout_s:g} s in vain until {description}")
        time.sleep(0.01)
