"""What a worker process thinks that its claims will take."""

from __future__ import annotations

import pytest

from tests.worker.process.test_batcher import claim, kind
from worker.process.batcher import Batch
from worker.process.throughput import Pace


def batch(name: str, weight: float) -> Batch:
    """A batch of one claim."""
    return Batch(kind(name)[name], [claim(name, "1")], weight=weight)


def test_what_is_held_is_judged_by_what_ran() -> None:
    """By weight, since a batch of long inputs takes longer than one of short ones."""
    pace = Pace()
    first, second = batch("a", 10.0), batch("a", 30.0)
    pace.take([first, second])
    pace.observe("a", 10.0, 0.5)
    assert pace.left_s() == pytest.approx(1.5)


def test_types_have_paces_of_their_own() -> None:
    """A unit of weight is another thing for each."""
    pace = Pace()
    for name, seconds in (("a", 1.0), ("b", 0.001)):
        pace.take([batch(name, 1.0)])
        pace.observe(name, 1.0, seconds)
    pace.take([batch("b", 5.0)])
    assert pace.left_s() == pytest.approx(0.005)


def test_what_was_given_back_takes_no_time() -> None:
    """Nor does what never ran: nothing is known of it."""
    pace = Pace()
    held = batch("a", 4.0)
    pace.take([held])
    assert pace.left_s() == 0
    pace.take([batch("a", 1.0)])
    pace.observe("a", 1.0, 1.0)
    assert pace.left_s() == pytest.approx(4.0)
    pace.give_back([held])
    assert pace.left_s() == 0


def test_the_newest_batches_count_most() -> None:
    """A machine that became slower is noticed within a few batches."""
    pace = Pace()
    for seconds in [0.1] * 10 + [1.0] * 10:
        pace.take([batch("a", 1.0)])
        pace.observe("a", 1.0, seconds)
    pace.take([batch("a", 1.0)])
    assert pace.left_s() == pytest.approx(1.0, rel=0.05)


def test_a_small_batch_says_little_of_large_ones() -> None:
    """It took long for its weight; two large ones on, what they take is expected."""
    pace = Pace()
    for weight, seconds in ((5.0, 0.05), (600.0, 0.15), (600.0, 0.15)):
        pace.take([batch("a", weight)])
        pace.observe("a", weight, seconds)
    pace.take([batch("a", 600.0)])
    assert pace.left_s() == pytest.approx(0.15, rel=0.1)
