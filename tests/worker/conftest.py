"""Workers as programs of their own, and asking them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from doneyet.settings import Settings
from tests.worker.running_worker import SAMPLE_TASKS, Asker, RunningWorker

StartWorker = Callable[..., RunningWorker]


@pytest.fixture
def settings(redis_url: str) -> Settings:
    """The sample tasks, the shared server, short leases."""
    return Settings(redis_url=redis_url, tasks=SAMPLE_TASKS, lease_s=1.0)


@pytest.fixture
def asker(settings: Settings) -> Iterator[Asker]:
    """Somebody who asks."""
    with closing(Asker(settings)) as somebody:
        yield somebody


@pytest.fixture
def start_worker(settings: Settings, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts `python -m worker` with flags, and waits until it serves; ended after the test."""
    with ExitStack() as stack:

        def start(*arguments: str, **options: Any) -> RunningWorker:
            serving = options.pop("serving", True)
            chosen = options.pop("settings", settings)
            worker = stack.enter_context(RunningWorker(chosen, tmp_path, arguments, **options))
            return worker.wait_until_serving() if serving else worker

        yield start
