"""`--lock`: workers of several models that share one device."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from doneyet.settings import Settings
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch
from tests.worker.conftest import StartWorker
from tests.worker.running_worker import Asker, runs_of


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """One worker per task type."""
    return dataclasses.replace(settings, queue_mode="distributed")


@pytest.fixture
def asker(settings: Settings) -> Iterator[Asker]:
    """Asks in the queue mode of these tests."""
    somebody = Asker(settings)
    yield somebody
    somebody.close()


def test_workers_take_turns_on_one_device(
    tmp_path: Path, asker: Asker, start_worker: StartWorker, settings: Settings
) -> None:
    """Batches of two models never run at the same time, and both get on."""
    keys = [f"k{n}" for n in range(60)]
    for name in ("device/one", "device/two"):
        start_worker("--types", name, "--lock", "gpu", settings=settings)
    for name in ("device/one", "device/two"):
        asker.ask(name, *keys)
    for name in ("device/one", "device/two"):
        asker.answers(name, *keys)
    lines = (tmp_path / "runs").read_text().splitlines()
    assert len(lines) == 240
    assert lines[::2] == lines[1::2]  # each begin is followed by its own end
    owners = [line.split(",")[0] for line in lines[::2]]
    assert sum(a != b for a, b in pairwise(owners)) >= 50, "each waits for the other"


def test_the_turn_is_kept_through_a_batch_longer_than_a_lease(
    tmp_path: Path, asker: Asker, start_worker: StartWorker, settings: Settings
) -> None:
    """Even where the handler never lets go of the interpreter: the supervisor renews it."""
    start_worker("--types", "greedy", "--lock", "gpu", settings=settings)
    start_worker("--types", "device/one", "--lock", "gpu", settings=settings)
    asker.ask("greedy", "k-3")
    wait_until(lambda: runs_of(tmp_path, "k-3"), description="it runs")
    asker.answers("device/one", "a")
    long, short = asker.ask("greedy", "k-3")[0], asker.ask("device/one", "a")[0]
    assert long.finished_ms is not None
    assert short.finished_ms is not None
    assert short.finished_ms >= long.finished_ms


def test_the_turn_of_a_dead_process_is_over_at_once(
    tmp_path: Path, asker: Asker, start_worker: StartWorker, settings: Settings
) -> None:
    """Not only when the lease of 20 s is."""
    settings = dataclasses.replace(settings, lease_s=20.0)
    dying = start_worker("--types", "sleep", "--lock", "gpu", settings=settings)
    start_worker("--types", "device/one", "--lock", "gpu", settings=settings)
    asker.ask("sleep", "k-60")
    wait_until(lambda: runs_of(tmp_path, "k-60"), description="it runs")
    asker.ask("device/one", "a")
    (pid,) = dying.processes()
    watch = Stopwatch()
    os.kill(pid, signal.SIGKILL)
    dying.signal(signal.SIGTERM)
    asker.answers("device/one", "a")
    assert watch.within_s(5), watch
