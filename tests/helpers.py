"""What many tests need: waiting for something to become true, and how long it may take."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import pytest
import redis

from task_manager.redis.clients import open_client
from task_manager.redis.connection import IN_PROCESS

Value = TypeVar("Value")
Process = TypeVar("Process", bound="subprocess.Popen[Any]")


def wait_until(
    predicate: Callable[[], Value], *, description: str, timeout_s: float = 30.0
) -> Value:
    """The first true value of `predicate`, asked every 10 ms, later every 100: asking is work, too.

    Raises:
        AssertionError: `timeout_s` is over; says what was waited for.
    """
    give_up_at = time.monotonic() + timeout_s
    pause_s = 0.01
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > give_up_at:
            raise AssertionError(f"waited {timeout_s:g} s in vain until {description}")
        time.sleep(pause_s)
        pause_s = min(0.1, 1.25 * pause_s)


def leave_out(config: pytest.Config, items: list[pytest.Item], marker: str, folder: Path) -> None:
    """Leaves the tests below `folder` to whoever asks for `marker`: what they need is not in the
    virtual environment, or takes minutes."""
    if marker in config.option.markexpr:
        return
    left_out = [item for item in items if folder in item.path.parents]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def need(program: str) -> None:
    """Skips a test where that program is not on PATH, but for continuous integration."""
    if shutil.which(program) is None:
        leave_to_ci(f"no {program} on PATH")


@contextmanager
def ended_at_last(process: Process) -> Iterator[Process]:
    """A process that a test ends itself; killed where the test fails before, not waited for."""
    with process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def children_of(pid: int, running: str = "") -> list[int]:
    """The processes that a process has started and that have this in their command line."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    if path.exists():
        children = map(int, path.read_text().split())
        return [each for each in children if running in _command_of(each)]
    which = ["-f", running] if running else []
    asked = ["pgrep", "-P", str(pid), *which]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def _command_of(pid: int) -> str:
    with suppress(OSError):  # it has ended
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def connect(url: str, **options: Any) -> redis.Redis:
    """A client of the server at `url`, which may be in this process; or of a whole cluster, whose
    commands are the same."""
    return cast("redis.Redis", open_client(url, more=IN_PROCESS.get(url), **options))


FAKE = os.environ.get("REDIS_SERVER") == "fakeredis"
"""Whether each test has a server in this process (`make quick`): quick, and no judge."""

CLUSTER = bool(os.environ.get("REDIS_CLUSTER"))
"""Whether the tests share a cluster of three such servers (`make cluster`)."""


def leave_to_ci(why: str) -> NoReturn:
    """Skips a test for want of a program; fails it where continuous integration should have it."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
