"""Requests of a client are counted for all servers of a deployment."""

from __future__ import annotations

import time

import pytest

from tests.contract.harness import Harness
from tests.helpers import wait_until

RATE, BURST_S = 50.0, 0.4  # a burst of 20, which takes no machine 0.4 s
IN_REDIS = ["random", "distributed", "ordered", "rq"]


@pytest.mark.parametrize("queue_mode", IN_REDIS)
def test_a_burst_then_the_rate(harness: Harness) -> None:
    """No more is granted than there is; what is refused says when to come again, and counts for
    nothing."""
    began_s = time.monotonic()
    allow = harness.manager.allow
    granted = 0
    for _ in range(10):
        told = allow("a", RATE, BURST_S, 7)
        assert told is not None
        granted += told.granted
        if not told.granted:
            assert 0 < told.wait_s <= 1 / RATE
    most = 20 + RATE * (time.monotonic() - began_s)
    assert 20 <= granted <= most

    def is_granted_again() -> bool:
        told = allow("a", RATE, BURST_S, 1)
        return told is not None and told.granted == 1

    wait_until(is_granted_again, description="it may make one more")


@pytest.mark.parametrize("queue_mode", IN_REDIS)
def test_each_client_has_its_own(harness: Harness) -> None:
    """Whoever asks for a lot takes nothing from others; a slow rate grants one at a time."""
    allow = harness.manager.allow
    for _ in range(5):
        allow("a", RATE, BURST_S, 100)
    other = allow("b", RATE, BURST_S, 3)
    assert other is not None
    assert other.granted == 3
    slow = [allow("c", 0.01, BURST_S, 1) for _ in range(2)]
    assert [each and each.granted for each in slow] == [1, 0]
    assert slow[1] is not None
    assert 99 < slow[1].wait_s <= 100


@pytest.mark.parametrize("queue_mode", ["synchronous"])
def test_nothing_is_counted_without_redis(harness: Harness) -> None:
    """The server counts for itself."""
    assert harness.manager.allow("a", RATE, BURST_S, 1) is None
