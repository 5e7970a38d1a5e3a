"""What is made of measured runs."""

from __future__ import annotations

import pytest

from benchmarks.queues.drain_clock import StalledError, tasks_per_s
from benchmarks.report.budgets import BUDGETS, held
from benchmarks.report.figures import TIMES, Figure, percentile, ratios, shown


def test_a_figure_is_the_median_of_its_runs() -> None:
    """One disturbed run does not move it far."""
    assert Figure("rate", [10, 900, 12], "tasks/s").value == 12


def test_ratios_compare_neighbours_in_time() -> None:
    """A machine that was slow for a while was slow for both."""
    assert ratios([100, 50], [50, 25]) == [2, 2]


def test_ratios_need_a_neighbour_for_each_run() -> None:
    """A run that failed must not shift the others."""
    with pytest.raises(ValueError, match="shorter"):
        ratios([100, 50], [50])


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (100, 100), (1, 1)])
def test_percentiles_are_measured_values(percent: float, expected: float) -> None:
    """The 99th of a hundred values is the 99th smallest, not something between."""
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_few_values_have_percentiles_too() -> None:
    """The 99th percentile of three values is the largest."""
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0


def test_numbers_are_shown_with_their_unit() -> None:
    """Three digits that matter; large ones whole."""
    assert shown(40_227.3, "tasks/s") == "40,227 tasks/s"
    assert shown(1.23456, "ms") == "1.23 ms"
    assert shown(2.0, TIMES) == "2" + TIMES


def test_a_budget_has_a_direction() -> None:
    """More is better for rates, less for times; the limit itself is good enough."""
    assert held(Figure("rate", [40_000], "tasks/s", "drain"))
    assert not held(Figure("rate", [39_999], "tasks/s", "drain"))
    assert held(Figure("p50", [5], "ms", "idle p50"))
    assert not held(Figure("p50", [5.1], "ms", "idle p50"))
    assert held(Figure("other", [1], "s")) is None


def test_a_budget_says_its_limit() -> None:
    """As the report prints it."""
    assert str(BUDGETS["memory"]) == "≤ 420 bytes"


def test_the_first_tenth_of_a_drain_is_not_counted() -> None:
    """Start-up takes what it takes; the rate is that of the rest."""
    samples = [(0.0, 0), (5.0, 0), (6.0, 100), (7.0, 600), (7.8, 1000), (9.0, 1000)]
    assert tasks_per_s(samples, 1000) == pytest.approx(900 / 1.8)


def test_a_drain_that_stalls_says_how_far_it_came() -> None:
    """No rate is made up for what did not finish."""
    with pytest.raises(StalledError, match="700 of 1000"):
        tasks_per_s([(0.0, 0), (1.0, 700), (60.0, 700)], 1000)


def test_a_drain_that_is_over_between_two_looks_has_no_rate() -> None:
    """Too few tasks were taken to tell."""
    with pytest.raises(StalledError, match="take more"):
        tasks_per_s([(0.0, 0), (0.01, 1000)], 1000)
