"""How many tasks one claim takes."""

from __future__ import annotations

import pytest

from worker.process.claim_size import MOST, ClaimSize


def settled(seconds_per_task: float, batch_size: int = 1) -> int:
    """The limit once many claims took `seconds_per_task` each."""
    size = ClaimSize()
    for _ in range(40):
        limit = size.limit(batch_size)
        size.observe(limit, limit * seconds_per_task)
    return size.limit(batch_size)


def test_the_first_claim_is_one_task() -> None:
    """Nothing is known yet, and a task may take hours."""
    assert ClaimSize().limit() == 1


def test_the_first_claim_of_a_batching_type_is_one_batch() -> None:
    """A batch costs about what one input does."""
    assert ClaimSize().limit(32) == 32


@pytest.mark.parametrize(
    ("seconds_per_task", "limit"), [(0.001, 50), (0.01, 5), (0.05, 1), (60.0, 1), (1e-6, MOST)]
)
def test_it_settles_at_about_50_ms_of_work(seconds_per_task: float, limit: int) -> None:
    """Tiny tasks share a round trip; long ones are claimed one by one."""
    assert settled(seconds_per_task) == pytest.approx(limit, abs=1)


def test_it_claims_whole_batches() -> None:
    """A batch that is not full wastes what a full one costs."""
    assert settled(0.002, batch_size=8) == 24


def test_it_claims_a_whole_batch_however_long_it_takes() -> None:
    """Long batches are still batches."""
    assert settled(0.5, batch_size=16) == 16


def test_a_batch_may_be_larger_than_the_largest_claim() -> None:
    """The type knows best how large its batches are."""
    assert settled(1e-6, batch_size=5000) == 5000


def test_it_grows_step_by_step() -> None:
    """One quick task says little of the next ones."""
    size = ClaimSize()
    size.observe(1, 1e-6)
    first = size.limit()
    size.observe(first, first * 1e-6)
    assert first == 4
    assert size.limit() == 16


def test_it_shrinks_when_tasks_become_long() -> None:
    """A few long tasks are enough to claim less."""
    size = ClaimSize()
    for _ in range(10):
        size.observe(1000, 0.01)
    for _ in range(3):
        size.observe(10, 10.0)
    assert size.limit() == 1
