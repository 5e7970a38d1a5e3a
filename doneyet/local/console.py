"""Saying what takes so long."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_S = 1.0
"""People wait this long without asking what is going on."""


@contextmanager
def saying(text: str) -> Iterator[None]:
    """Prints `text` on standard error if what is done meanwhile takes longer than a second."""
    timer = threading.Timer(PATIENCE_S, say, [f"{text} ..."])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def say(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
