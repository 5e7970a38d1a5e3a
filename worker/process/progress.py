"""How far running tasks are, told to clients, but not more often than they can see."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable

INTERVAL_S = 0.25
MOST_MESSAGE = 500  # characters


class ProgressReports:
    """The latest report of each running task, sent at most every `INTERVAL_S`.

    It is what task types' `context.progress` calls.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._latest: dict[str, tuple[str, float, str]] = {}
        self._next_s = 0.0

    def __call__(self, type_name: str, task_id: str, fraction: float, message: str = "") -> None:
        """A running task is at `fraction`; called by the handler.

        Never fails the task: what is no number is 0.
        """
        first = not self._latest
        self._latest[task_id] = (type_name, _fraction(fraction), _message(message))
        if first:
            self._wake()

    def due_in_s(self) -> float | None:
        """How many seconds from now reports are to be sent; None when there are none."""
        return max(0.0, self._next_s - time.monotonic()) if self._latest else None

    def take_due(self) -> dict[str, tuple[str, float, str]]:
        """The reports to send now; empty when none, or when the last ones are too fresh."""
        if self.due_in_s() != 0:
            return {}
        self._next_s = time.monotonic() + INTERVAL_S
        taken: dict[str, tuple[str, float, str]] = {}
        while self._latest:
            task_id, report = self._latest.popitem()
            taken[task_id] = report
        return taken


def _fraction(value: object) -> float:
    """`value` between 0 and 1; 0 where it is no number."""
    with contextlib.suppress(Exception):
        number = float(value)  # type: ignore[arg-type]
        return 0.0 if math.isnan(number) else min(1.0, max(0.0, number))
    return 0.0


def _message(value: object) -> str:
    """`value` as one line that every program can show; empty where it cannot be had."""
    with contextlib.suppress(Exception):
        text = ("" if value is None else str(value))[:MOST_MESSAGE]
        text = text.encode("utf-8", "replace").decode()
        return "".join(sign if sign.isprintable() else " " for sign in text)
    return ""
