"""Starting the programs that are measured, as their users start them."""

from __future__ import annotations

import os
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from doneyet.local.managed_process import Part
from doneyet.process_range import Range
from doneyet.settings import Settings

GRACE_S = 3.0
START_TIMEOUT_S = 60.0

Value = TypeVar("Value")


def settings_for(
    redis_url: str, queue_mode: str, *, processes: int = 1, **more: object
) -> Settings:
    """Settings of a system that may be asked a million tasks at once, for an hour."""
    values: dict[str, object] = {
        "tasks": "factorization,benchmarks.queues.drain_tasks",
        "max_load": 10_000_000,
        "input_ttl_s": 3600.0,
        "log_level": "warning",
        "processes": Range(processes, processes),
        **more,
    }
    return Settings(redis_url=redis_url, queue_mode=queue_mode, **values)  # type: ignore[arg-type]


def start_worker(settings: Settings) -> Part:
    """`python -m worker`, not necessarily ready yet."""
    return start("the worker", [sys.executable, "-m", "worker"], settings.to_environment())


def start_http_server(settings: Settings) -> Part:
    """`python -m http_server`, ready."""
    command = [sys.executable, "-m", "http_server"]
    part = start("the HTTP server", command, settings.to_environment())
    return ready(part, settings.port, "/readyz")


def start(name: str, command: Sequence[str], environ: Mapping[str, str]) -> Part:
    """A program with `environ` in the place of any setting of doneyet's that is around."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("DONEYET_")}
    return Part(name, command, {**kept, **environ}, grace_s=GRACE_S)


def ready(part: Part, port: int, path: str) -> Part:
    """`part`, once it answers GET `path`."""
    wait_for(lambda: _answers(f"http://127.0.0.1:{port}{path}"), part, f"{part.name} is ready")
    return part


def wait_for(
    predicate: Callable[[], Value],
    part: Part,
    until: str,
    *,
    timeout_s: float = START_TIMEOUT_S,
    every_s: float = 0.01,
) -> Value:
    """The first true value of `predicate`.

    Raises:
        PartError: `part` ended meanwhile.
        TimeoutError: `timeout_s` is over.
    """
    give_up_at_s = time.monotonic() + timeout_s
    while not (value := predicate()):
        part.check()
        if time.monotonic() > give_up_at_s:
            raise TimeoutError(part.said(f"waited {timeout_s:g} s in vain until {until}"))
        time.sleep(every_s)
    return value


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5):
            return True
    except OSError:
        return False
