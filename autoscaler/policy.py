"""How many workers there are to be, from how much there is to do. Pure: no clock, no I/O.

The parameters are those of Cortex' AsyncAPI, with the same defaults and the same meaning. Beyond
them, the first worker is special: it starts at once, and goes only when nobody has asked for long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from autoscaler.history import History

TO_ZERO_AFTER_S = 600.0
"""The last worker goes when there was nothing to do for so long."""
TO_ZERO_AFTER_LOADS = 3.0
"""And for so many times as long as it takes to load its model."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When to add workers and when to remove some."""

    min_replicas: int = 1
    max_replicas: int = 100
    init_replicas: int | None = None
    """How many to begin with; None: `min_replicas`."""
    target_in_flight: float = 1.0
    """Waiting and running tasks for each slot of a worker."""
    window_s: float = 60.0
    """Over which the number of tasks is averaged."""
    downscale_stabilization_period_s: float = 300.0
    """Never fewer than the most that were recommended within it."""
    upscale_stabilization_period_s: float = 60.0
    """Never more than the fewest that were recommended within it."""
    max_downscale_factor: float = 0.75
    """At one time, the number is multiplied by this at least."""
    max_upscale_factor: float = 1.5
    """At one time, the number is multiplied by this at most."""
    downscale_tolerance: float = 0.05
    """A recommendation that is lower by less than this part changes nothing."""
    upscale_tolerance: float = 0.05
    """A recommendation that is higher by less than this part changes nothing."""

    def __post_init__(self) -> None:
        """Refuses what makes no sense.

        Raises:
            ValueError: names the parameter, and what it may be.
        """
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{each.name} is a number from 0 up, not {value}")
        if self.max_replicas < max(1, self.min_replicas):
            raise ValueError("max_replicas is at least 1, and at least min_replicas")
        if self.init_replicas is not None and not (
            self.min_replicas <= self.init_replicas <= self.max_replicas
        ):
            raise ValueError("init_replicas is from min_replicas to max_replicas")
        if self.target_in_flight <= 0:
            raise ValueError("target_in_flight is above 0")
        if not 0 <= self.max_downscale_factor < 1:
            raise ValueError("max_downscale_factor is from 0 up to, but not, 1")
        if self.max_upscale_factor <= 1:
            raise ValueError("max_upscale_factor is above 1")
        for name in ("downscale_tolerance", "upscale_tolerance"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} is below 1")

    @property
    def first(self) -> int:
        """How many to begin with."""
        return self.min_replicas if self.init_replicas is None else self.init_replicas


class Autoscaler:
    """The decisions for one task type, one after the other.

    Args:
        policy: its parameters.
        slots: tasks that one worker runs at the same time: its batch size times its processes.
    """

    def __init__(self, policy: Policy, slots: int = 1) -> None:
        if slots < 1:
            raise ValueError(f"a worker has at least one slot, not {slots}")
        self._policy, self._slots = policy, slots
        self._in_flight, self._recommended = History(), History()
        self._idle_since_s: float | None = None
        self._looked_s = 0.0
        self._was_blind = False
        """Whether nobody could tell since then."""

    def decide(
        self,
        now_s: float,
        waiting: int | None,
        running: int | None,
        current: int,
        *,
        load_time_s: float = 0.0,
    ) -> int:
        """How many workers there are to be.

        Args:
            now_s: of a clock that only goes forward.
            waiting, running: tasks; None where nobody can tell, as while Redis is away: then
                nothing changes.
            current: workers that there are, those that are starting included.
            load_time_s: how long it takes until a new worker can work.
        """
        policy = self._policy
        if waiting is None or running is None:
            self._was_blind = True
            return self._bounded(current)
        in_flight = waiting + running
        self._in_flight.add(now_s, in_flight)
        self._note_idle(now_s, in_flight)
        if current == 0:
            return self._from_zero(now_s, in_flight)
        if (
            self._recommended.is_empty
        ):  # else whoever starts this anew would have workers go at once
            self._recommended.add(now_s, current)
        wanted = self._in_flight.mean(now_s, policy.window_s) / (
            policy.target_in_flight * self._slots
        )
        recommended = self._limited(wanted, current)
        self._recommended.add(now_s, recommended)
        decided: float = recommended
        if decided < current:
            period_s = policy.downscale_stabilization_period_s
            decided = min(current, self._recommended.highest(now_s, period_s))
        elif decided > current:
            period_s = policy.upscale_stabilization_period_s
            decided = max(current, self._recommended.lowest(now_s, period_s))
        decided = max(decided, math.ceil(running / self._slots))  # these are at work
        if not self._may_be_zero(now_s, load_time_s):
            decided = max(1, decided)
        return self._bounded(int(decided))

    def _from_zero(self, now_s: float, in_flight: int) -> int:
        """The first worker comes at once; how many more it takes is seen from there."""
        number = self._bounded(max(1, self._policy.first) if in_flight else 0)
        self._recommended.clear()
        self._recommended.add(now_s, number)
        return number

    def _limited(self, wanted: float, current: int) -> int:
        """What is recommended to those who have `current` and would want `wanted`."""
        policy = self._policy
        too_low = current * (1 - policy.downscale_tolerance)
        too_high = current * (1 + policy.upscale_tolerance)
        if too_low < wanted < too_high:
            return current
        lowest = math.floor(current * policy.max_downscale_factor + _ROUNDING)
        highest = math.ceil(current * policy.max_upscale_factor - _ROUNDING)
        return min(max(math.ceil(wanted - _ROUNDING), lowest), highest)

    def _note_idle(self, now_s: float, in_flight: int) -> None:
        if in_flight:
            self._idle_since_s = None
        elif self._idle_since_s is None:
            self._idle_since_s = now_s
        elif self._was_blind:  # nobody could ask, which does not mean that nobody wanted to
            self._idle_since_s += now_s - self._looked_s
        self._looked_s, self._was_blind = now_s, False

    def _may_be_zero(self, now_s: float, load_time_s: float) -> bool:
        if self._idle_since_s is None:
            return False
        idle_s = now_s - self._idle_since_s
        return idle_s >= max(TO_ZERO_AFTER_S, TO_ZERO_AFTER_LOADS * load_time_s)

    def _bounded(self, number: int) -> int:
        return min(max(number, self._policy.min_replicas), self._policy.max_replicas)
