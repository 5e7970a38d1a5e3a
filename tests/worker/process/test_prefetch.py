"""When the next tasks are claimed while some still run."""

from __future__ import annotations

import pytest

from worker.process.prefetch import wait_before_prefetch_s


def wait_s(
    *, backlog: bool = True, held: int = 10, limit: int = 10, left_s: float = 0.05
) -> float | None:
    """The answer for one chunk of 50 ms, where a test says nothing else."""
    return wait_before_prefetch_s(backlog=backlog, held=held, limit=limit, left_s=left_s)


def test_short_work_is_prefetched_at_once() -> None:
    """The next 50 ms of work are here before these are over."""
    assert wait_s() == 0


def test_long_work_is_prefetched_100_ms_before_its_end() -> None:
    """Tasks claimed earlier would only be kept from others."""
    assert wait_s(held=1, limit=1, left_s=1.5) == pytest.approx(1.4)
    assert wait_s(held=1, limit=1, left_s=0.05) == 0


def test_nothing_is_prefetched_where_nothing_waits() -> None:
    """The last claim got less than it asked for."""
    assert wait_s(backlog=False) is None


def test_at_most_one_claim_is_prefetched() -> None:
    """What is held already is enough for now."""
    assert wait_s(held=11) is None
