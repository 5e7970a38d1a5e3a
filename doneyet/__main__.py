"""`python -m doneyet` is the command `doneyet`."""

import sys

from doneyet.command.main import main

if __name__ == "__main__":
    sys.exit(main())
