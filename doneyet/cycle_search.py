"""No search for reference cycles while a program starts, or ends.

What is loaded then stays, and Python's collector would look at all of it again and again: that
took a sixth of a program's start, and twice that again at its end.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_cycle_search() -> Iterator[None]:
    """What is loaded meanwhile is not looked through, now or later.

    `gc.disable` and thresholds of a user's own, which task modules may have set meanwhile, stay.
    """
    before = gc.get_threshold()
    gc.set_threshold(0, *before[1:])
    try:
        yield
    finally:
        gc.freeze()
        if gc.get_threshold()[0] == 0:
            gc.set_threshold(*before)


def end_without_cycle_search() -> None:
    """From now on, this program ends without it: all of its memory goes back at once."""
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
