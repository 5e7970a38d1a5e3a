"""A tally in this process, by a clock of the test."""

from __future__ import annotations

from collections import Counter

from task_manager.tally import HISTORY_H, HISTORY_MIN, LiveTally


def test_minutes_become_hours_and_hours_end() -> None:
    """A month of an event a minute: the last eight hours by the minute, thirty days by the hour."""
    now_s = [3600.0 * 500_000]
    tally = LiveTally(lambda: now_s[0])
    for _ in range(60 * (HISTORY_H + 24)):
        tally.count({"new": 1})
        now_s[0] += 60
    now_s[0] -= 60
    assert len(tally.as_tally("t").minutes) == HISTORY_MIN
    hours = tally.hours()
    last = int(now_s[0] // 3600)
    assert [*hours] == [*range(last - HISTORY_H + 1, last + 1)]
    assert all(events == Counter(new=60) for events in hours.values())
    assert tally.as_tally("t").events["new"] == 60 * (HISTORY_H + 24)
    now_s[0] += 3600 * (HISTORY_H - 1)
    assert tally.hours() == {last: Counter(new=60)}
