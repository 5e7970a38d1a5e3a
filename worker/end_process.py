"""How a worker process ends itself."""

from __future__ import annotations

import atexit
import logging
import os
from typing import NoReturn


def end_process(code: int) -> NoReturn:
    """Ends this process, also where a handler left threads behind that do not end."""
    atexit._run_exitfuncs()
    logging.shutdown()
    os._exit(code)
