"""Memory over time: what is called a leak, and what not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from benchmarks.report.growth import LEAK_MIB, leak_mib, verdict, warm_up_of

HOUR_S, EVERY_S = 3600, 1


def noisy(
    seconds: int, more: Callable[[float], float], seed: int
) -> tuple[list[float], list[float]]:
    """Samples after the warm-up: a heap that fills by 12 MiB and is trimmed, noise, and `more`."""
    chance = random.Random(seed)
    times = [float(at) for at in range(0, seconds, EVERY_S) if at >= seconds * warm_up_of(seconds)]
    period_s = chance.uniform(20, 90)
    saws = [12 * (at % period_s) / period_s for at in times]
    values = [
        180 + saw + chance.gauss(0, 2) + more(at) for at, saw in zip(times, saws, strict=True)
    ]
    return times, values


def leaking(mib: float) -> Callable[[float], float]:
    """So much in each five minutes."""
    return lambda at: mib * at / 300


def settling(at: float) -> float:
    """A cache that is nearly full after ten minutes."""
    return 100 * (1 - 2 ** (-at / 150))


def one_step(at: float) -> float:
    """A heap that is 8 MiB larger from some moment on."""
    return 8.0 * (at > 2400)


@pytest.mark.parametrize("seed", range(20))
def test_a_small_leak_is_seen_in_an_hour(seed: int) -> None:
    """A MiB in five minutes, under noise of ten times as much."""
    assert "grows by" in verdict(*noisy(HOUR_S, leaking(LEAK_MIB), seed))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("more", [lambda _: 0.0, settling, one_step, leaking(-1), leaking(0.3)])
def test_what_comes_and_goes_is_no_leak(more: Callable[[float], float], seed: int) -> None:
    """Nor what settles, or steps up once, or shrinks."""
    assert verdict(*noisy(HOUR_S, more, seed)) == ""


def test_a_leak_is_told_in_numbers() -> None:
    """Close to what it is."""
    assert leak_mib(*noisy(HOUR_S, leaking(5), 1)) == pytest.approx(5, abs=0.3)


def test_a_short_run_is_judged_for_much() -> None:
    """A heap that settles is not told from a leak in five minutes."""
    assert verdict(*noisy(300, leaking(10), 1)) == ""
    assert "grew by" in verdict(*noisy(300, leaking(150), 1))
    assert verdict([1.0, 2.0], [5.0, 5.0]) == ""


def test_the_warm_up_is_no_longer_than_it_takes() -> None:
    """Two fifths, or twenty minutes."""
    assert [warm_up_of(each) for each in (60, 300, 3600)] == [0.4, 0.4, pytest.approx(1 / 3)]
