"""Each parameter by hand, what holds whatever they are, and what other autoscalers got wrong."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.choice import Worker, to_stop
from autoscaler.history import KEPT_S, History
from autoscaler.policy import TO_ZERO_AFTER_S, Autoscaler, Policy

AT_ONCE: dict[str, Any] = {
    "window_s": 0.0,
    "downscale_stabilization_period_s": 0.0,
    "upscale_stabilization_period_s": 0.0,
}


def policy(**changed: Any) -> Policy:
    """One without delays and limits, but for what is given."""
    free = {"min_replicas": 0, "max_downscale_factor": 0.0, "max_upscale_factor": 1000.0}
    exact = {"downscale_tolerance": 0.0, "upscale_tolerance": 0.0}
    return Policy(**{**AT_ONCE, **free, **exact, **changed})


def decided(scaler: Autoscaler, in_flight: int, current: int, now_s: float = 0.0) -> int:
    """With all tasks waiting."""
    return scaler.decide(now_s, in_flight, 0, current)


# Parameter by parameter


@pytest.mark.parametrize(
    ("in_flight", "target", "slots", "workers"),
    [(1, 1, 1, 1), (10, 1, 1, 10), (10, 3, 1, 4), (10, 1, 4, 3), (10, 2.5, 4, 1), (9, 3, 1, 3)],
)
def test_what_is_in_flight_over_what_a_worker_carries(
    in_flight: int, target: float, slots: int, workers: int
) -> None:
    """Rounded up."""
    assert decided(Autoscaler(policy(target_in_flight=target), slots), in_flight, 2) == workers


def test_bounds() -> None:
    """Neither fewer than the least nor more than the most."""
    scaler = Autoscaler(policy(min_replicas=2, max_replicas=5))
    assert decided(scaler, 100, 3) == 5
    assert decided(scaler, 0, 3, now_s=10 * TO_ZERO_AFTER_S) == 2


def test_the_average_over_the_window() -> None:
    """Half a minute of ten tasks and half a minute of none is five; of what is older, nothing."""
    scaler = Autoscaler(policy(window_s=60))
    decided(scaler, 1000, 1, now_s=-500)
    decided(scaler, 10, 5, now_s=0)
    decided(scaler, 0, 5, now_s=30)
    assert decided(scaler, 0, 5, now_s=60) == 5
    assert decided(scaler, 0, 5, now_s=75) == 3  # 2.5
    assert decided(scaler, 0, 5, now_s=90) == 1


def test_no_rounding_before_the_average() -> None:
    """1.2 workers for half of the time and 0 for the other half is 0.6, so one; not 2 / 2."""
    scaler = Autoscaler(policy(window_s=60, target_in_flight=5))
    decided(scaler, 6, 1, now_s=0)
    decided(scaler, 0, 1, now_s=30)
    assert decided(scaler, 0, 1, now_s=60) == 1


def test_downscale_stabilization() -> None:
    """Not below the most that were recommended within five minutes."""
    scaler = Autoscaler(policy(downscale_stabilization_period_s=300))
    assert decided(scaler, 10, 10, now_s=0) == 10
    assert decided(scaler, 7, 10, now_s=100) == 10
    assert decided(scaler, 2, 10, now_s=299) == 10
    assert decided(scaler, 2, 10, now_s=301) == 7
    assert decided(scaler, 2, 7, now_s=401) == 2


def test_upscale_stabilization() -> None:
    """Not above the fewest that were recommended within a minute."""
    scaler = Autoscaler(policy(upscale_stabilization_period_s=60))
    assert decided(scaler, 2, 2, now_s=0) == 2
    assert decided(scaler, 10, 2, now_s=10) == 2
    assert decided(scaler, 6, 2, now_s=40) == 2
    assert decided(scaler, 10, 2, now_s=61) == 6
    assert decided(scaler, 10, 6, now_s=101) == 10


def test_factors() -> None:
    """At one time at most half as many again, and at most a quarter fewer."""
    limited = policy(max_upscale_factor=1.5, max_downscale_factor=0.75)
    assert decided(Autoscaler(limited), 100, 4) == 6
    assert decided(Autoscaler(limited), 100, 3) == 5  # 4.5, rounded up: three would stay three
    assert decided(Autoscaler(limited), 1, 8) == 6
    assert decided(Autoscaler(limited), 1, 3) == 2  # 2.25, rounded down
    assert decided(Autoscaler(limited), 1, 1) == 1


@pytest.mark.parametrize(
    ("in_flight", "workers"), [(951, 100), (949, 95), (1049, 100), (1051, 106)]
)
def test_tolerances(in_flight: int, workers: int) -> None:
    """Within a twentieth nothing changes."""
    tolerant = policy(
        downscale_tolerance=0.05, upscale_tolerance=0.05, target_in_flight=10, max_replicas=200
    )
    assert decided(Autoscaler(tolerant), in_flight, 100) == workers


def test_how_many_to_begin_with() -> None:
    """The least, or as it says; also when the first task comes after a time without any."""
    assert Policy(min_replicas=2).first == 2
    assert Policy(min_replicas=0, init_replicas=3).first == 3
    assert decided(Autoscaler(policy(init_replicas=3)), 1, 0) == 3


def test_from_zero_at_once_and_to_zero_after_long() -> None:
    """Whatever the window, the periods and the factors say."""
    slow = Policy(min_replicas=0, upscale_stabilization_period_s=60)
    scaler = Autoscaler(slow)
    assert decided(scaler, 0, 0, now_s=0) == 0
    assert decided(scaler, 5, 0, now_s=1) == 1
    assert decided(scaler, 0, 1, now_s=10) == 1
    assert decided(scaler, 0, 1, now_s=10 + TO_ZERO_AFTER_S - 1) == 1
    assert decided(scaler, 0, 1, now_s=10 + TO_ZERO_AFTER_S) == 0


def test_a_model_that_loads_slowly_stays_longer() -> None:
    """Three times as long as it takes to load it again."""
    scaler = Autoscaler(policy())
    assert scaler.decide(0, 0, 0, 1, load_time_s=400) == 1
    assert scaler.decide(TO_ZERO_AFTER_S, 0, 0, 1, load_time_s=400) == 1
    assert scaler.decide(1200, 0, 0, 1, load_time_s=400) == 0


def test_those_at_work_stay() -> None:
    """Nobody's worker is taken away while it runs something."""
    scaler = Autoscaler(policy(target_in_flight=10), slots=2)
    assert scaler.decide(0, 0, 7, 9) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_replicas": -1},
        {"max_replicas": 0},
        {"min_replicas": 3, "max_replicas": 2},
        {"init_replicas": 0},
        {"target_in_flight": 0},
        {"max_downscale_factor": 1},
        {"max_upscale_factor": 1},
        {"upscale_tolerance": 1},
        {"window_s": math.nan},
        {"window_s": math.inf},
    ],
)
def test_policies_that_make_no_sense(wrong: dict[str, Any]) -> None:
    """They are refused, by the name of what is wrong."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Policy(**wrong)


# Whatever the parameters are

policies = st.builds(
    Policy,
    min_replicas=st.integers(0, 3),
    max_replicas=st.integers(3, 50),
    target_in_flight=st.floats(0.1, 20),
    window_s=st.floats(0, 120),
    downscale_stabilization_period_s=st.floats(0, 400),
    upscale_stabilization_period_s=st.floats(0, 400),
    max_downscale_factor=st.floats(0, 0.99),
    max_upscale_factor=st.floats(1.01, 5),
    downscale_tolerance=st.floats(0, 0.5),
    upscale_tolerance=st.floats(0, 0.5),
)
loads = st.lists(st.tuples(st.floats(0.1, 90), st.integers(0, 500)), min_size=1, max_size=40)


@settings(max_examples=60)
@given(policies, st.integers(1, 8), loads)
def test_always_within_bounds_and_enough_for_what_runs(
    given_policy: Policy, slots: int, steps: list[tuple[float, int]]
) -> None:
    """And a step up is never larger than the factor, but for the first worker's."""
    scaler, now_s, current = Autoscaler(given_policy, slots), 0.0, given_policy.first
    for after_s, in_flight in steps:
        now_s += after_s
        running = min(in_flight, current * slots)
        number = scaler.decide(now_s, in_flight - running, running, current)
        assert given_policy.min_replicas <= number <= given_policy.max_replicas
        assert number * slots >= min(running, given_policy.max_replicas * slots)
        if current:
            highest = math.ceil(current * given_policy.max_upscale_factor)
            assert number <= max(highest, given_policy.min_replicas)
        current = number


@settings(max_examples=30)
@given(policies, st.integers(1, 8), st.integers(1, 500))
def test_under_a_constant_load_it_comes_to_rest(
    given_policy: Policy, slots: int, in_flight: int
) -> None:
    """And never turns round on the way."""
    scaler, numbers = Autoscaler(given_policy, slots), [given_policy.first]
    for step in range(400):  # five hours: one period for each of fifty workers
        numbers.append(scaler.decide(step * 50.0, in_flight, 0, numbers[-1]))
    steps = [after - before for before, after in itertools.pairwise(numbers) if after != before]
    assert all(step > 0 for step in steps) or all(step < 0 for step in steps)
    assert len({*numbers[-20:]}) == 1


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 20))
def test_more_to_do_never_means_fewer(one: int, other: int, current: int) -> None:
    """Of two that are alike but for what there is to do."""
    less, more = sorted([one, other])
    plain = Policy(min_replicas=0, **AT_ONCE)
    assert decided(Autoscaler(plain), less, current) <= decided(Autoscaler(plain), more, current)


# What other autoscalers got wrong


def test_nobody_can_tell() -> None:
    """KEDA #1850, #2244: what is measured is away, and everything was scaled to nothing."""
    scaler = Autoscaler(policy())
    assert decided(scaler, 8, 8, now_s=0) == 8
    for now_s in range(10, 10_000, 10):
        assert scaler.decide(now_s, None, None, 8) == 8


def test_before_anything_was_measured() -> None:
    """Ray PR #39881: the first workers were ended before the first measurement."""
    assert Autoscaler(Policy(min_replicas=1, init_replicas=4)).decide(0, None, None, 4) == 4


def test_no_growth_from_nothing() -> None:
    """Ray PR #61731: a factor at zero reached the most within three looks, without traffic."""
    scaler = Autoscaler(Policy(min_replicas=0, max_upscale_factor=3))
    assert [decided(scaler, 0, 0, now_s=now_s) for now_s in range(10)] == [0] * 10


def test_how_often_it_looks_does_not_matter() -> None:
    """Ray PR #62331: delays counted in looks were longer where these came late."""
    outcomes = set()
    for every_s in (1, 5, 10, 30):
        scaler, current = Autoscaler(Policy(max_upscale_factor=100)), 1
        decided(scaler, 1, 1, now_s=-100)
        for now_s in range(0, 241, every_s):
            current = decided(scaler, 20, current, now_s=now_s)
        outcomes.add(current)
    assert outcomes == {20}


def test_no_up_and_down_when_the_load_is_even() -> None:
    """Ray #18925, #26455: workers were added, the load per worker fell, workers were removed."""
    scaler, current = Autoscaler(Policy()), 1
    numbers = []
    for now_s in range(0, 3600, 5):
        current = decided(scaler, 7, current, now_s=now_s)
        numbers.append(current)
    assert numbers == sorted(numbers)
    assert current == 7


def test_a_short_burst_is_no_reason_to_grow() -> None:
    """Of a load that is over before workers could help."""
    scaler = Autoscaler(Policy())
    decided(scaler, 1, 1, now_s=0)
    assert decided(scaler, 50, 1, now_s=30) == 1
    assert decided(scaler, 1, 1, now_s=35) == 1


def test_the_last_one_goes_later_than_others() -> None:
    """Ray PR #56573: from one to none has a delay of its own."""
    scaler = Autoscaler(policy(downscale_stabilization_period_s=30))
    decided(scaler, 4, 4, now_s=0)
    assert decided(scaler, 0, 4, now_s=40) == 1
    assert decided(scaler, 0, 1, now_s=100) == 1


def test_starting_workers_go_first() -> None:
    """Ray #43034: those at work were stopped, and those that were starting kept."""
    workers = [
        Worker("busy", False, 3, 0.0),
        Worker("idle-old", False, 0, 1.0),
        Worker("idle-young", False, 0, 2.0),
        Worker("starting", True, 0, 3.0),
        Worker("less-busy", False, 1, 0.5),
    ]
    order = ["starting", "idle-young", "idle-old", "less-busy", "busy"]
    assert to_stop(workers, 5) == order
    assert to_stop(workers, 2) == order[:2]
    assert to_stop(workers, 0) == to_stop(workers, -3) == []


# History


def test_history_keeps_an_hour() -> None:
    """And the value that held when that hour began."""
    history = History()
    for now_s in range(0, 20_000, 10):
        history.add(now_s, now_s)
    assert len(history._values) <= KEPT_S / 10 + 2
    assert history.mean(19_990, KEPT_S) == pytest.approx(19_990 - KEPT_S / 2, abs=10)
    assert history.lowest(19_990, 100) == 19_900
    assert history.highest(30_000, 100) == 19_990


@pytest.mark.parametrize(("in_flight", "period"), [(0, "downscale"), (1000, "upscale")])
def test_who_begins_to_look_changes_nothing_at_once(in_flight: int, period: str) -> None:
    """Whoever ends `doneyet autoscale` and starts it anew in a quiet second keeps its workers, and
    one busy second brings none: what was there counts as recommended."""
    name = f"{period}_stabilization_period_s"
    scaler = Autoscaler(policy(**{name: 300.0}))
    assert decided(scaler, in_flight, 8) == 8
    assert decided(scaler, in_flight, 8, now_s=299) == 8
    assert decided(scaler, in_flight, 8, now_s=301) != 8


def test_time_in_which_nobody_could_ask_is_not_idle() -> None:
    """After an hour without Redis the last worker stays for as long as after its last task."""
    scaler = Autoscaler(policy())
    decided(scaler, 0, 1)
    for now_s in range(5, 3600, 5):
        assert scaler.decide(now_s, None, None, 1) == 1
    assert decided(scaler, 0, 1, now_s=3600) == 1
    assert decided(scaler, 0, 1, now_s=3600 + TO_ZERO_AFTER_S - 1) == 1
    assert decided(scaler, 0, 1, now_s=3600 + TO_ZERO_AFTER_S) == 0


def test_a_look_that_fails_costs_no_more_than_its_time() -> None:
    """Else a server that does not answer now and then would keep the last worker for ever."""
    scaler = Autoscaler(policy())
    for now_s in range(0, int(TO_ZERO_AFTER_S) + 10, 5):
        known = None if now_s == 300 else 0
        assert scaler.decide(now_s, known, known, 1) == 1
    assert decided(scaler, 0, 1, now_s=TO_ZERO_AFTER_S + 10) == 0
