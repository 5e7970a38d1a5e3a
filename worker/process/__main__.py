"""One worker process: `python -m worker.process CONTROL_FD BOARD_FD`."""

import sys

from doneyet.cycle_search import no_cycle_search

if __name__ == "__main__":
    with no_cycle_search():
        from worker.process.program import run

    run(int(sys.argv[1]), int(sys.argv[2]))
