"""The simulation: what it tells can be worked out by hand, and nothing is lost in it."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from autoscaler.policy import TO_ZERO_AFTER_S, Policy
from benchmarks.autoscaling.__main__ import FOLDER
from benchmarks.autoscaling.report import picture
from benchmarks.autoscaling.scenarios import ALL, Scenario, dead_worker, slow_start
from benchmarks.autoscaling.simulation import LEASE_S, LOOK_EVERY_S, Model, Simulation

STILL = Policy(min_replicas=1, max_replicas=1)
TASK_S = 10.0


def test_one_worker_by_hand() -> None:
    """Three tasks at once for two slots: the third waits for as long as the others take."""
    outcome = Simulation(Model(TASK_S, load_s=1, slots=2), STILL).run([1.0] * 3, 100)
    assert outcome.waits_s == [0, 0, TASK_S]
    assert outcome.worker_s == 100
    assert [each.running for each in outcome.samples[:5]] == [0, 2, 2, 1, 1]


def test_a_death_by_hand() -> None:
    """What ran begins again when the lease is over and the worker is back, the later of the two."""
    for load_s in (LEASE_S / 3, LEASE_S * 3):
        outcome = Simulation(Model(TASK_S, load_s), STILL).run([0.0], 300, deaths=[4])
        assert outcome.waits_s == [4 + max(LEASE_S, load_s)]


def test_the_first_worker_by_hand() -> None:
    """It comes at the next look, loads, and goes when nobody asked for long."""
    model = Model(TASK_S, load_s=20)
    policy = Policy(min_replicas=0, max_replicas=1)
    outcome = Simulation(model, policy, workers=0).run([7.0], 2 * TO_ZERO_AFTER_S)
    assert outcome.waits_s == [10 + 20 - 7]
    idle_s = 10 + 20 + TASK_S
    gone_s = next(each.at_s for each in outcome.samples if each.at_s > idle_s and not each.there)
    assert idle_s + TO_ZERO_AFTER_S <= gone_s <= idle_s + TO_ZERO_AFTER_S + LOOK_EVERY_S
    assert outcome.worker_s == gone_s - 10


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost(seed: int) -> None:
    """However tasks come and workers die, each is answered once in the end, and a worker that is
    told to go ends what it runs."""
    chance = random.Random(seed)
    arrivals = sorted(chance.uniform(0, 600) for _ in range(chance.randrange(1, 400)))
    model = Model(chance.uniform(0.1, 20), chance.uniform(0, 100), chance.randrange(1, 5))
    policy = Policy(min_replicas=2, max_replicas=chance.randrange(2, 9), max_upscale_factor=2)
    deaths = sorted(chance.uniform(1, 500) for _ in range(2))
    outcome = Simulation(model, policy, workers=5).run(arrivals, 20_000, deaths)
    assert len(outcome.waits_s) == len(arrivals)
    assert min(outcome.waits_s) >= 0
    last = outcome.samples[-1]
    assert (last.waiting, last.running) == (0, 0)
    for each in outcome.samples:
        assert each.ready <= each.there
        assert 2 <= each.wanted <= max(5, policy.max_replicas)


SCENARIOS = [pytest.param(make(), id=make().name) for make in ALL]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_plots_are_those_of_the_code(scenario: Scenario) -> None:
    """`python -m benchmarks.autoscaling` draws them anew."""
    drawn = picture(scenario, scenario.run())
    assert drawn == (FOLDER / f"{scenario.name}.svg").read_text()


def test_a_constant_load_does_not_flap() -> None:
    """Of tasks that come at random the number of workers changes a few times an hour at most."""
    outcome = dead_worker().run()
    settled = [each.there for each in outcome.samples if 600 <= each.at_s < 1800]
    assert sum(one != other for one, other in pairwise(settled)) <= 3


def test_who_asks_a_model_that_sleeps() -> None:
    """Waits for one load of it, no longer, but for the look."""
    scenario = slow_start()
    outcome = scenario.run()
    assert len(outcome.waits_s) == len(scenario.arrivals)
    assert max(outcome.waits_s) <= scenario.model.load_s + LOOK_EVERY_S
