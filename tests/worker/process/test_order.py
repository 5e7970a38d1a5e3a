"""First come, first served: with `--ordered`, and where one client alone asks a fair queue."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from doneyet.settings import Settings
from task_manager.values import State
from tests.helpers import wait_until
from tests.worker.conftest import StartWorker
from tests.worker.running_worker import Asker, runs


@pytest.fixture(params=["ordered", "distributed"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Each queue mode in which tasks have turns."""
    return dataclasses.replace(settings, queue_mode=request.param)


@pytest.fixture
def asker(settings: Settings) -> Iterator[Asker]:
    """Asks in that queue mode."""
    with closing(Asker(settings)) as somebody:
        yield somebody


def begun(folder: Path) -> list[str]:
    """Every key that began to run, in order."""
    return [key for batch in runs(folder) for key in batch]


def test_one_process_begins_tasks_in_the_order_in_which_they_came(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """Whatever is claimed ahead, given back behind a slow task, or asked for again."""
    keys = [f"k{n:02d}-{'0.4' if n % 20 == 5 else '0.001'}" for n in range(60)]
    for start in range(0, 60, 7):
        asker.ask("sleep", *keys[start : start + 7])
    asker.ask("sleep", *reversed(keys))
    start_worker()
    asker.answers("sleep", *keys)
    assert begun(tmp_path) == keys


def test_batches_are_filled_in_order(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """Inputs that wait together run together, the first ones first."""
    keys = [f"k{n:02d}" for n in range(24)]
    asker.ask("fragile", *keys)
    start_worker("--types", "fragile")
    asker.answers("fragile", *keys)
    assert runs(tmp_path) == [keys[:8], keys[8:16], keys[16:]]


def test_batches_of_inputs_of_like_cost_begin_in_the_order_of_the_first(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """So that none waits longer than for the batch before."""
    keys = [f"k{n:02d}-{n * 7 % 5 + 1}" for n in range(40)]
    asker.ask("priced", *keys)
    start_worker("--types", "priced")
    asker.answers("priced", *keys)
    batches = runs(tmp_path)
    assert sorted(key for batch in batches for key in batch) == keys
    assert all(len({key[-1] for key in batch}) == 1 for batch in batches), "each is of one cost"
    firsts = [min(batch) for batch in batches]
    assert firsts == sorted(firsts)


def test_what_a_killed_process_had_not_begun_keeps_its_turn(
    tmp_path: Path, asker: Asker, start_worker: StartWorker
) -> None:
    """All others follow in their order; the task that it ran may kill again, and comes after
    some of them."""
    quick = [f"k{n}-0.001" for n in range(9)]
    start_worker()
    asker.answers("sleep", *quick)  # so that several are claimed at once
    slow = ["s0-0.5", *(f"s{n}-0.01" for n in range(1, 9))]
    asker.ask("sleep", *slow)
    wait_until(lambda: begun(tmp_path)[-1] == slow[0], description="the first one runs")
    asker.ask("sleep", "late-0.001")
    os.kill(int((tmp_path / "runs").read_text().splitlines()[-1].split(",")[1]), signal.SIGKILL)
    asker.answers("sleep", *slow, "late-0.001")
    first, *then = begun(tmp_path)[len(quick) :]
    assert first == slow[0]
    assert [key for key in then if key != slow[0]] == [*slow[1:], "late-0.001"]
    assert then.count(slow[0]) == 1


def test_workers_take_turns_on_a_device(
    tmp_path: Path, settings: Settings, asker: Asker, start_worker: StartWorker
) -> None:
    """`--lock` is as in the other queue modes: one of two workers has the device at a time."""
    for name in ("device/one", "device/two"):
        start_worker("--types", name, "--lock", "gpu")
    keys = [f"k{n}" for n in range(8)]
    asker.manager.submit([asker.task(t, k) for k in keys for t in ("device/one", "device/two")])
    asker.answers("device/one", *keys)
    asker.answers("device/two", *keys)
    lines = (tmp_path / "runs").read_text().splitlines()
    assert lines[::2] == lines[1::2], "each begin is followed by its own end"
    assert asker.state("device/one", "k0") is State.DONE
