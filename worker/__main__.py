"""`python -m worker` is `doneyet worker`."""

import sys

from doneyet.command.programs import worker
from doneyet.command.running import run

if __name__ == "__main__":
    sys.exit(run(worker, None, "python -m worker"))
