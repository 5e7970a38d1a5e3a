"""`python -m doneyet.client`: see `--help`."""

import signal
import sys
from types import FrameType


def _end(number: int, _: FrameType | None) -> None:
    """Ends in order, so that no half file is left."""
    sys.exit(128 + number)


def _run() -> int:
    from doneyet.client.command_line import main

    return main()


if __name__ == "__main__":
    try:
        signal.signal(signal.SIGTERM, _end)
        sys.exit(_run())
    except KeyboardInterrupt:  # while Python was still importing
        sys.exit(130)
