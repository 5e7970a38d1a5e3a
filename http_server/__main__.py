"""`python -m http_server` is `doneyet server`."""

import sys

from doneyet.command.programs import server
from doneyet.command.running import run

if __name__ == "__main__":
    sys.exit(run(server, None, "python -m http_server"))
