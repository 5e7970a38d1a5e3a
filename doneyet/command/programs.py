"""`doneyet server` and `doneyet worker`: also `python -m http_server` and `python -m worker`."""

from __future__ import annotations

import resource

from doneyet.command.running import UsageFault
from doneyet.command.setting_options import settings_command
from doneyet.cycle_search import no_cycle_search
from doneyet.settings import HTTP_SERVER, WORKER, Settings

LEAST_FILES = 128
"""How many files and connections a program must be able to open at once."""


def _check_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else max(soft, LEAST_FILES)
    if most < LEAST_FILES:
        raise UsageFault(
            f"this program may open {most} files at once and needs {LEAST_FILES}, better thousands:"
            " raise the limit (ulimit -n, LimitNOFILE=, docker run --ulimit nofile=)"
        )
    if soft != resource.RLIM_INFINITY and soft < LEAST_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (LEAST_FILES, hard))


def _run_server(settings: Settings) -> int:
    _check_open_files()
    with no_cycle_search():
        from http_server.program import run

    return run(settings)


def _run_worker(settings: Settings) -> int:
    _check_open_files()
    with no_cycle_search():
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
