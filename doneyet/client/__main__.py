"""`python -m doneyet.client` is `doneyet ask` and the other commands of clients; see `--help`."""

import sys


def _run() -> int:
    from doneyet.command.asking import main

    return main()


if __name__ == "__main__":
    try:
        sys.exit(_run())
    except KeyboardInterrupt:  # while Python was still importing
        sys.exit(130)
