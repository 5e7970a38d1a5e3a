"""Figures and plots of simulations."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.autoscaling.scenarios import ALL, HOUR_S, MINUTE_S, Scenario
from benchmarks.autoscaling.simulation import Outcome, Sample
from benchmarks.report.plot import plot

HEAD = ["what happens", "waits: half, 99 %, the longest, s", "workers", "changes", "worker hours"]
"""Workers: the most that there were; worker hours: of those that the most would be all the time."""
MOST_SAMPLES = 300
HEADROOM = 1.25
"""What is needed is drawn up to so many times the most workers that may be."""


def rows() -> list[list[str]]:
    """What `HEAD` says, of each scenario."""
    return [_row(scenario, scenario.run()) for scenario in (make() for make in ALL)]


def _row(scenario: Scenario, outcome: Outcome) -> list[str]:
    waits_s = sorted(outcome.waits_s)
    half, most = waits_s[len(waits_s) // 2], waits_s[int(len(waits_s) * 0.99)]
    there = [each.there for each in outcome.samples]
    fixed_h = scenario.policy.max_replicas * scenario.until_s / HOUR_S
    return [
        f"**{scenario.name}**: {scenario.text}",
        f"{half:.0f}, {most:.0f}, {waits_s[-1]:.0f}",
        str(max(there)),
        str(sum(one != other for one, other in pairwise(there))),
        f"{outcome.worker_s / HOUR_S:.1f} of {fixed_h:.1f}",
    ]


def picture(scenario: Scenario, outcome: Outcome) -> str:
    """Workers over time: needed for what there is to do, there, and ready; as SVG."""
    in_hours = scenario.until_s > 2 * HOUR_S
    unit_s = HOUR_S if in_hours else MINUTE_S
    slots = scenario.policy.target_in_flight * scenario.model.slots
    highest = scenario.policy.max_replicas * HEADROOM
    step = max(1, len(outcome.samples) // MOST_SAMPLES)

    def lines(each: Sample) -> tuple[float, ...]:
        return min((each.waiting + each.running) / slots, highest), each.there, each.ready

    samples = [(each.at_s / unit_s, lines(each)) for each in outcome.samples[::step]]
    names = ("for all at once", "there", "ready")
    return plot(samples, names, "hours" if in_hours else "minutes", "workers")
