"""What happens to tasks is counted, once each, in every queue mode."""

from __future__ import annotations

from collections import Counter

import pytest

from task_manager.tally import Tally
from task_manager.values import State
from tests.contract.conftest import WAITING_MODES, MakeHarness
from tests.contract.harness import ONE, OTHER, Harness, only, task
from tests.helpers import wait_until

where_tasks_wait = pytest.mark.parametrize("queue_mode", WAITING_MODES)


def tally(harness: Harness, type_name: str = ONE) -> Tally:
    """That of one type."""
    return harness.manager.tallies([type_name])[0]


def counts(harness: Harness, *events: str) -> tuple[int, ...]:
    """How often these happened."""
    told = tally(harness).events
    return tuple(told.get(event, 0) for event in events)


def work(harness: Harness, runs: int) -> None:
    """Lets a worker work until so many tasks were run and are terminal."""
    wait_until(lambda: harness.work_once() or len(harness.runs) == runs, description="all ran")
    wait_until(
        lambda: harness.manager.load([ONE])[0].running == 0, description="their results are stored"
    )


def test_nothing_has_happened(harness: Harness) -> None:
    """A type of which nobody asked has a tally, too."""
    assert harness.manager.tallies([ONE, OTHER]) == [Tally(ONE), Tally(OTHER)]
    assert harness.manager.hours([ONE, OTHER]) == [{}, {}]
    assert harness.manager.oldest([ONE, OTHER]) == [None, None]


@where_tasks_wait
def test_what_comes_of_submits(make_harness: MakeHarness) -> None:
    """Each input of a submit is new, joined (it waits or runs already), cached or refused."""
    harness = make_harness(max_load=3)
    outcomes = ("new", "joined", "cached", "refused")
    harness.manager.submit([task(1), task(2)])
    assert counts(harness, *outcomes) == (2, 0, 0, 0)
    harness.manager.submit([task(1), task(2), task(3)])
    assert counts(harness, *outcomes) == (3, 2, 0, 0)
    harness.manager.submit([task(4), task(3), task(4, OTHER)])
    assert counts(harness, *outcomes) == (3, 3, 0, 1)
    assert tally(harness, OTHER).events["new"] == 1
    work(harness, 4)
    harness.manager.submit([task(2), task(3)])
    assert counts(harness, *outcomes) == (3, 3, 2, 1)
    harness.manager.submit([task(2)], discard=True)
    assert counts(harness, *outcomes) == (4, 3, 2, 1)


@pytest.mark.parametrize("queue_mode", ["synchronous"])
def test_what_comes_of_submits_that_wait_for_the_answer(harness: Harness) -> None:
    """Where that is how tasks are submitted: the same, and nothing joins what is done."""
    harness.manager.submit([task(1), task(2), task(1)])
    harness.manager.submit([task(1)])
    assert counts(harness, "new", "joined", "cached", "done") == (2, 1, 1, 2)
    told = tally(harness)
    assert told.batches.counts[0] == sum(told.waits.counts) == sum(told.runs.counts) == 2


@where_tasks_wait
def test_how_tasks_end(harness: Harness) -> None:
    """Done, failed or cancelled; a tally tells how long they waited, and of each minute."""
    harness.manager.submit([task(1), task(2), task(-3), task(4)])
    assert harness.manager.cancel(ONE, task(4).id)
    work(harness, 3)
    ends = ("done", "failed", "cancelled", "crashed", "retries", "abandoned")
    assert counts(harness, *ends) == (2, 1, 1, 0, 0, 0)
    told = tally(harness)
    assert sum(told.waits.counts) == 3
    by_minute: Counter[str] = Counter()
    for events in told.minutes.values():
        by_minute.update(events)
    assert by_minute == told.events
    by_hour: Counter[str] = Counter()
    for events in harness.manager.hours([ONE])[0].values():
        by_hour.update(events)
    assert by_hour == told.events
    assert only(harness.manager.submit([task(4)])).state is State.WAITING
    assert counts(harness, "new", "cancelled") == (5, 1)


@where_tasks_wait
def test_for_how_long_the_oldest_waits(harness: Harness) -> None:
    """From its submission on; not the others' waits, nor those of other types."""
    harness.manager.submit([task(1)])
    (first_s,) = wait_until(
        lambda: [each for each in harness.manager.oldest([ONE]) if each and each > 0.2],
        description="it has waited",
    )
    harness.manager.submit([task(1), *(task(n) for n in range(10, 20))])
    oldest_s, other_s = harness.manager.oldest([ONE, OTHER])
    assert oldest_s is not None
    assert oldest_s >= first_s
    assert other_s is None
    work(harness, 11)
    assert harness.manager.oldest([ONE]) == [None]
