"""Back-off, owner names, outages, progress reports."""

from __future__ import annotations

import logging
import os

import pytest

from task_manager.backoff import Backoff
from task_manager.errors import UnavailableError
from task_manager.owners import new_owner
from tests.helpers import wait_until
from worker.process.progress import INTERVAL_S, ProgressReports
from worker.redis_outage import Outage


def test_delays_double_up_to_a_limit_and_start_again() -> None:
    """Each spread by a quarter, so that many do not knock at once."""
    backoff = Backoff(1.0, 8.0)
    for centre in (1, 2, 4, 8, 8, 8):
        assert backoff.next_s() == pytest.approx(centre, rel=0.25)
    backoff.reset()
    assert backoff.next_s() == pytest.approx(1, rel=0.25)


def test_the_first_retry_can_be_immediate() -> None:
    """A worker process that died once is replaced at once."""
    backoff = Backoff(1.0, 8.0, at_once=True)
    assert backoff.next_s() == 0
    assert backoff.next_s() == pytest.approx(1, rel=0.25)


def test_a_very_long_outage_does_not_overflow() -> None:
    """Days of retries later the delay is what it was."""
    backoff = Backoff(1.0, 8.0)
    assert all(backoff.next_s() <= 10 for _ in range(5000))


def test_owner_names_never_repeat() -> None:
    """Not even for one process id; no spaces, since records are split at them."""
    names = {new_owner(os.getpid()) for _ in range(1000)}
    assert len(names) == 1000
    assert all(f"-{os.getpid()}-" in name and " " not in name for name in names)


def test_an_outage_is_two_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is noticed, and without the password."""
    log = logging.getLogger("test")
    outage = Outage("redis://***@host", log)
    with caplog.at_level(logging.WARNING):
        delays_s = [outage.began(UnavailableError("Redis is away: no route")) for _ in range(5)]
        assert outage.over()
        assert not outage.over()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "away" in caplog.messages[0]
    assert "back" in caplog.messages[1]
    assert delays_s[4] > delays_s[0]


def test_the_latest_report_of_each_task_is_sent() -> None:
    """Those in between are not worth a round trip."""
    woken: list[bool] = []
    reports = ProgressReports(lambda: woken.append(True))
    reports("reporting", "id0", 0.1, "begun")
    reports("reporting", "id1", 0.5, "half")
    reports("reporting", "id0", 0.2, "on")
    assert woken == [True]
    assert reports.take_due() == {
        "id0": ("reporting", 0.2, "on"),
        "id1": ("reporting", 0.5, "half"),
    }


def test_reports_are_sent_at_most_four_times_a_second() -> None:
    """What comes sooner waits, and is not lost."""
    reports = ProgressReports(lambda: None)
    reports("reporting", "id0", 0.1)
    assert reports.take_due()
    reports("reporting", "id0", 0.2)
    assert reports.take_due() == {}
    due_in_s = reports.due_in_s()
    assert due_in_s is not None
    assert 0 < due_in_s <= INTERVAL_S
    assert wait_until(reports.take_due, description="it is time") == {"id0": ("reporting", 0.2, "")}


def test_fractions_are_kept_between_0_and_1() -> None:
    """A progress bar cannot show anything else."""
    reports = ProgressReports(lambda: None)
    for index, fraction in enumerate((-1.0, 7.0, float("nan"))):
        reports("reporting", f"id{index}", fraction)
    assert [report[1] for _, report in sorted(reports.take_due().items())] == [0.0, 1.0, 0.0]
