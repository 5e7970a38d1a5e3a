"""A paused type's tasks do not begin; all else goes on."""

from __future__ import annotations

import pytest

from task_manager.errors import CannotPauseError
from task_manager.values import State
from tests.contract.conftest import WAITING_MODES
from tests.contract.harness import ONE, OTHER, Harness, only, task
from tests.helpers import wait_until

where_tasks_wait = pytest.mark.parametrize("queue_mode", WAITING_MODES)


@where_tasks_wait
def test_a_paused_type_begins_nothing(harness: Harness) -> None:
    """Its tasks are taken, kept and cancelled; those of other types run; then it goes on."""
    manager = harness.manager
    manager.submit([task(1), task(2, OTHER)])
    manager.pause(ONE, paused=True)
    manager.submit([task(3), task(4)])
    wait_until(lambda: harness.work_once() or harness.runs, description="the other type's runs")
    assert harness.work_once() == []
    assert harness.runs == [2]
    assert [load.paused for load in manager.load([ONE, OTHER])] == [True, False]
    assert only(manager.submit([task(3)])).state is State.WAITING
    assert manager.cancel(ONE, task(4).id)
    manager.pause(ONE, paused=False)

    def have_run() -> bool:
        manager.submit([task(1), task(3)])
        harness.work_once()
        return {1, 3} <= {*harness.runs}

    wait_until(have_run, description="they run after all")
    assert sorted(harness.runs) == [1, 2, 3]
    assert not manager.load([ONE])[0].paused


@where_tasks_wait
def test_answers_of_a_paused_type_are_told(harness: Harness) -> None:
    """What is done stays done."""
    harness.manager.submit([task(1)])
    wait_until(lambda: harness.work_once() or harness.runs, description="it has run")
    harness.manager.pause(ONE, paused=True)
    harness.manager.pause(ONE, paused=True)
    assert only(harness.manager.submit([task(1)])).state is State.DONE


@pytest.mark.parametrize("queue_mode", ["synchronous"])
def test_nobody_pauses_where_each_request_is_answered(harness: Harness) -> None:
    """It says so, rather than to seem to."""
    with pytest.raises(CannotPauseError, match="synchronous"):
        harness.manager.pause(ONE, paused=True)
