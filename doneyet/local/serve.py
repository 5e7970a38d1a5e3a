"""Keeps the system up until it is told to stop."""

from __future__ import annotations

import argparse
import time

from doneyet.local.console import say
from doneyet.local.system import System

CHECK_EVERY_S = 0.5

WELCOME = """\
doneyet is up at {url}

  curl -s {url}/factorize -H 'Content-Type: application/json' -d '{{"number": 408216}}'
  .venv/bin/python -m doneyet.client --url {url} factorize number=408216

Ctrl-C stops it.
"""


def serve(arguments: argparse.Namespace) -> int:
    """Runs the system until Ctrl-C, or until a part of it ends; returns the exit code."""
    both = [
        *_flags(arguments, "tasks"),
        *_flags(arguments, "models"),
        *_flags(arguments, "storage"),
    ]
    system = System(
        queue_mode=arguments.queue_mode,
        port=arguments.port,
        processes=arguments.processes,
        redis_url=arguments.redis_url,
        settings={"DONEYET_LOG_LEVEL": arguments.log_level},
        http_arguments=both,
        worker_arguments=[*both, *_flags(arguments, "types"), *_flags(arguments, "lock")],
        show_logs=True,
    )
    with system:
        say(WELCOME.format(url=system.url))
        try:
            while True:
                system.check()
                time.sleep(CHECK_EVERY_S)
        except KeyboardInterrupt:
            say("\nStopping ...")
    return 0


def _flags(arguments: argparse.Namespace, name: str) -> list[str]:
    value = getattr(arguments, name)
    return [f"--{name}", value] if value else []
