"""`doneyet server` and `doneyet worker`: also `python -m http_server` and `python -m worker`."""

from __future__ import annotations

from doneyet.command.setting_options import settings_command
from doneyet.settings import HTTP_SERVER, WORKER, Settings


def _run_server(settings: Settings) -> int:
    from http_server.program import run

    return run(settings)


def _run_worker(settings: Settings) -> int:
    from worker.program import run

    return run(settings)


server = settings_command(
    "server",
    (HTTP_SERVER,),
    _run_server,
    "Runs the HTTP server: accepts tasks and serves their answers.",
)
worker = settings_command(
    "worker", (WORKER,), _run_worker, "Runs a worker: claims tasks, runs them, stores results."
)
