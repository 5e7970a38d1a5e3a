"""`python -m client`: see `--help`."""

import sys

from client.command_line import main

if __name__ == "__main__":
    sys.exit(main())
