"""A terminal that shows one page again and again, and hears single keys."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

_OTHER_SCREEN, _USUAL_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"

_MOST_KEYS = 1024


class Screen:
    """The terminal of this program, as it was before once this is left."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    def __enter__(self) -> Screen:
        self._before = _hear_single_keys()
        sys.stdout.write(_OTHER_SCREEN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sys.stdout.write(_USUAL_SCREEN)
        sys.stdout.flush()
        if self._before is not None:
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)

    def show(self, lines: Sequence[str]) -> None:
        """These lines instead of those before, as far as the terminal has room."""
        width, height = shutil.get_terminal_size()
        shown = [line[:width] + _REST_OF_LINE for line in lines[:height]]
        sys.stdout.write(_HOME + "\r\n".join(shown) + _REST_OF_SCREEN)
        sys.stdout.flush()

    def hears(self, key: str, within_s: float) -> bool:
        """Whether that key is pressed within so long."""
        until = time.monotonic() + within_s
        while (left_s := until - time.monotonic()) > 0:
            if self._before is None:
                time.sleep(left_s)
            elif select.select([sys.stdin], [], [], left_s)[0]:
                pressed = os.read(sys.stdin.fileno(), _MOST_KEYS)
                if key.encode() in pressed or not pressed:  # nobody can press any more
                    return True
        return False


def _hear_single_keys() -> list[Any] | None:
    """Has the terminal tell of each key; how it was before, None where it cannot."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        return None
    if not sys.stdin.isatty():
        return None
    before = termios.tcgetattr(sys.stdin.fileno())
    tty.setcbreak(sys.stdin.fileno())
    return before
