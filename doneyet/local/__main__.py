"""`python -m doneyet.local demo`, `demo-models` and `serve`: the whole system on this machine."""

import sys

from doneyet.command.serving import main

if __name__ == "__main__":
    sys.exit(main())
