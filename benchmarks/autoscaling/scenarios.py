"""What happens to a service, and what it is to be scaled by."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autoscaler.policy import Policy
from benchmarks.autoscaling.simulation import Model, Outcome, Simulation

MINUTE_S, HOUR_S = 60.0, 3600.0
SEED = 12


@dataclass(frozen=True)
class Scenario:
    """One of them; the same each time."""

    name: str
    text: str
    model: Model
    policy: Policy
    arrivals: Sequence[float]
    until_s: float
    deaths: Sequence[float] = ()
    workers: int = 1

    def run(self) -> Outcome:
        """What happens."""
        simulation = Simulation(self.model, self.policy, self.workers)
        return simulation.run(self.arrivals, self.until_s, self.deaths)


def burst() -> Scenario:
    """Many tasks at once, while there is one worker."""
    return Scenario(
        "burst",
        "2,000 tasks of 1 s at once, eight at a time per worker, which loads for 20 s; 1 to 8 "
        "workers",
        Model(run_s=1.0, load_s=20.0, slots=8),
        Policy(max_replicas=8),
        [2 * MINUTE_S] * 2000,
        20 * MINUTE_S,
    )


def burst_in_a_hurry() -> Scenario:
    """The same, with a policy for it."""
    return replace(
        burst(),
        name="burst-in-a-hurry",
        text="the same with `--upscale-stabilization-period-s 0`, `--max-upscale-factor 2` and "
        "`--window-s 15`",
        policy=Policy(
            max_replicas=8, upscale_stabilization_period_s=0, max_upscale_factor=2, window_s=15
        ),
    )


def day() -> Scenario:
    """From quiet nights to noon and back, at random within each minute."""
    chance = random.Random(SEED)
    arrivals: list[float] = []
    at_s = 0.0
    while at_s < 24 * HOUR_S:
        hour = at_s / HOUR_S
        rate = 0.02 + 1.2 * max(0.0, math.sin(math.pi * (hour - 6) / 14)) ** 2 * (6 < hour < 20)
        at_s += chance.expovariate(rate)
        arrivals.append(at_s)
    return Scenario(
        "day",
        "a day: 0.02 tasks a second at night, 1.2 at one o'clock, of 10 s each; 1 to 20 workers",
        Model(run_s=10.0, load_s=30.0),
        Policy(max_replicas=20),
        arrivals,
        24 * HOUR_S,
    )


def slow_start() -> Scenario:
    """A model that is asked for now and then, and takes long to load."""
    asked = [5.0, 6.0, 7.0, 12.0, 12.2, 12.4, 50.0, 50.1]
    return Scenario(
        "slow-start",
        "a model that loads for four minutes, asked eight times within the hour; 0 to 2 workers",
        Model(run_s=2.0, load_s=4 * MINUTE_S),
        Policy(min_replicas=0, max_replicas=2),
        [minute * MINUTE_S for minute in asked],
        HOUR_S,
        workers=0,
    )


def dead_worker() -> Scenario:
    """One of four dies at full load and loads anew."""
    chance = random.Random(SEED)
    arrivals, at_s = [], 0.0
    while at_s < HOUR_S:
        at_s += chance.expovariate(3.0)
        arrivals.append(at_s)
    return Scenario(
        "dead-worker",
        "three tasks of 1 s a second for an hour, at random; a worker dies after 30 minutes and "
        "loads for a minute; 1 to 10 workers",
        Model(run_s=1.0, load_s=MINUTE_S),
        Policy(max_replicas=10, target_in_flight=0.7),
        arrivals,
        HOUR_S,
        deaths=[30 * MINUTE_S],
        workers=4,
    )


ALL = (burst, burst_in_a_hurry, day, slow_start, dead_worker)
