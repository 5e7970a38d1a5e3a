"""What happened to tasks, as it is counted: in all, by the minute for the last `HISTORY_MIN`, and
by the hour for the last `HISTORY_H` where somebody asks for that.

The scripts in `lua/` count most of it in the call in which it happens, so that nothing is counted
twice or lost with a server. Only a worker knows how long tasks ran and in what company: it says so
with their results.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

HISTORY_MIN = 480
"""As in `lua/parts/tally.lua`."""

HISTORY_H = 720
"""As in `lua/shared/hours.lua`."""

DURATIONS_S = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    *(30, 60, 120, 300, 600, 1800, 7200),
)
"""Upper ends of a histogram's buckets; as in `lua/parts/waits.lua`. One more has none."""

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Likewise."""

SUBMITTED = ("cached", "new", "joined", "refused")
"""What may come of a submit: answered, a new task, one that waits or runs already, none."""

FINISHED = ("done", "failed", "crashed", "cancelled")
"""How a task may end; `crashed` is a failure of its process at the last attempt."""


class Runs:
    """Batches of one type that ran, as they are counted.

    Adding is a few dictionary accesses, since the shortest tasks take a few µs in all.
    """

    __slots__ = ("_batches", "_task_s")

    def __init__(self) -> None:
        self._batches: dict[tuple[int, int], int] = {}  # (tasks, bucket of the duration): how many
        self._task_s = 0.0

    def add(self, tasks: int, elapsed_s: float) -> Runs:
        """One batch of so many tasks ran for so long."""
        key = tasks, bisect_left(DURATIONS_S, elapsed_s)
        self._batches[key] = self._batches.get(key, 0) + 1
        self._task_s += tasks * elapsed_s
        return self

    def events(self) -> Counter[str]:
        """What is counted of them."""
        events: Counter[str] = Counter(run_ms=round(self._task_s * 1000))
        for (tasks, bucket), batches in self._batches.items():
            events[f"run_{bucket + 1}"] += batches * tasks
            events[f"batch_{bisect_left(BATCH_SIZES, tasks) + 1}"] += batches
            events["batch_tasks"] += batches * tasks
        return events


class Histogram(NamedTuple):
    """How many were in each bucket, the last of which has no upper end, and their sum."""

    counts: Sequence[int]
    total: float


@dataclass(frozen=True, slots=True)
class Tally:
    """What happened to the tasks of one type in all its versions.

    `events` are since counting began; `minutes` have those of each minute in which something
    happened, by its number since 1970. Events are those of `SUBMITTED` and `FINISHED`, `abandoned`
    (nobody asked any more), `retries`, and the parts of histograms.
    """

    type: str
    events: Mapping[str, int] = field(default_factory=dict)
    minutes: Mapping[int, Mapping[str, int]] = field(default_factory=dict)

    @property
    def waits(self) -> Histogram:
        """Seconds from submission to the first claim."""
        return self._histogram("wait", DURATIONS_S, self.events.get("wait_ms", 0) / 1000)

    @property
    def runs(self) -> Histogram:
        """Seconds that each task's batch ran."""
        return self._histogram("run", DURATIONS_S, self.events.get("run_ms", 0) / 1000)

    @property
    def batches(self) -> Histogram:
        """Tasks of each batch."""
        return self._histogram("batch", BATCH_SIZES, self.events.get("batch_tasks", 0))

    def _histogram(self, name: str, bounds: Sequence[float], total: float) -> Histogram:
        numbers = range(1, len(bounds) + 2)
        return Histogram([self.events.get(f"{name}_{number}", 0) for number in numbers], total)


def summed(type_name: str, tallies: Sequence[Tally]) -> Tally:
    """What is told of all of them together."""
    events: Counter[str] = Counter()
    for tally in tallies:
        events.update(tally.events)
    return Tally(type_name, events, summed_spans(tally.minutes for tally in tallies))


def summed_spans(of_each: Iterable[Mapping[int, Mapping[str, int]]]) -> dict[int, Counter[str]]:
    """What happened in each minute, or hour, of all of them together."""
    found: dict[int, Counter[str]] = {}
    for spans in of_each:
        for number, events in spans.items():
            found.setdefault(number, Counter()).update(events)
    return found


class LiveTally:
    """A tally that is kept in this process.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._events: Counter[str] = Counter()
        self._minutes: dict[int, Counter[str]] = {}
        self._hours: dict[int, Counter[str]] = {}  # of minutes that are told no more

    def count(self, events: Mapping[str, int]) -> None:
        """Each of these happened so often, now."""
        minute = int(self._clock() // 60)
        self._events.update(events)
        self._minutes.setdefault(minute, Counter()).update(events)
        if len(self._minutes) > HISTORY_MIN:
            first = min(self._minutes)
            self._hours.setdefault(first // 60, Counter()).update(self._minutes.pop(first))
            if len(self._hours) > HISTORY_H:
                del self._hours[min(self._hours)]

    def as_tally(self, type_name: str) -> Tally:
        """A copy of it."""
        minutes = {minute: events.copy() for minute, events in self._minutes.items()}
        return Tally(type_name, self._events.copy(), minutes)

    def hours(self) -> dict[int, Counter[str]]:
        """What happened in each of the last hours."""
        since = int(self._clock() // 3600) - HISTORY_H
        hours = {hour: events.copy() for hour, events in self._hours.items()}
        for minute, events in self._minutes.items():
            hours.setdefault(minute // 60, Counter()).update(events)
        return {hour: events for hour, events in hours.items() if hour > since}


def events_of_wait(waited_s: float) -> dict[str, int]:
    """What is counted of a task that begins after so long."""
    bucket = bisect_left(DURATIONS_S, waited_s) + 1
    return {f"wait_{bucket}": 1, "wait_ms": round(waited_s * 1000)}


def as_text(events: Mapping[str, int]) -> str:
    """`events` as scripts take and store them."""
    return " ".join(f"{event} {count}" for event, count in events.items())


def read_tally(type_name: str, fields: Sequence[bytes]) -> Tally:
    """The tally that is stored as these fields and values; what cannot be read is left out."""
    stored = {
        key.decode(errors="replace"): value
        for key, value in zip(fields[::2], fields[1::2], strict=True)
    }
    events: Counter[str] = Counter()
    minutes: dict[int, Counter[str]] = {}
    now = Counter[str]()
    for key, value in stored.items():
        word, _, rest = key.rpartition(" ")
        if word == "at" and rest.isdecimal():
            minutes[int(rest)] = _read_events(value)
        elif value.isdigit() and word == "now":
            now[rest] = int(value)
        elif value.isdigit() and not word and rest != "minute":
            events[rest] = int(value)
    if now and (minute := stored.get("minute", b"")).isdigit():
        minutes[int(minute)] = now
    return Tally(type_name, events + now, minutes)


def read_hours(fields: Sequence[bytes]) -> dict[int, Counter[str]]:
    """What happened in each hour, as these hours and texts say; what cannot be read is left out."""
    pairs = zip(fields[::2], fields[1::2], strict=True)
    return {int(hour): _read_events(packed) for hour, packed in pairs if hour.isdigit()}


def _read_events(packed: bytes) -> Counter[str]:
    words = packed.decode(errors="replace").split(" ")
    pairs = zip(words[::2], words[1::2], strict=False)
    return Counter({event: int(count) for event, count in pairs if count.isdecimal()})
