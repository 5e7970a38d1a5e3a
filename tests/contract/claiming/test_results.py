"""What becomes of results, on time and late, and what shows meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from task_manager.errors import UnavailableError
from task_manager.redis.scripts.run import run_scripts
from task_manager.values import State, Status
from tests.contract.claiming.tasks import TYPES, done, failed, state
from tests.contract.harness import (
    ONE,
    OTHER,
    RedisHarness,
    answer,
    only,
    task,
)


def test_finish_and_claim_are_one_round_trip(
    harness: RedisHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results of two types are stored and the next tasks claimed in one round trip."""
    harness.manager.submit([task(1), task(2, OTHER), task(3)])
    claims = harness.manager.claim("a", TYPES, limit=2)
    harness.manager.submit([task(n) for n in range(10, 20)])
    trips: list[int] = []
    this = threading.current_thread()

    def counted(client: Any, calls: Any) -> Any:
        if threading.current_thread() is this:  # other tests' systems may be up beside
            trips.append(len(calls))
        return run_scripts(client, calls)

    for module in ("claimer", "queues"):
        monkeypatch.setattr(f"task_manager.redis.{module}.run_scripts", counted)
    following = harness.manager.finish("a", [harness.result(c) for c in claims], TYPES, limit=5)
    assert len(trips) == 1
    assert len(following) == 5


def test_a_reply_about_other_tasks_is_no_answer(
    harness: RedisHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the shape of one, and names what was not to be stored: whoever believed it would drop
    results that are nowhere, and their tasks would run for ever."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    manager: Any = getattr(harness.manager, "_inner", harness.manager)
    run_each, given = manager._run_each, iter([[[b"a", b"a"]]])
    monkeypatch.setattr(manager, "_run_each", lambda *of: next(given, None) or run_each(*of))
    with pytest.raises(UnavailableError):
        harness.manager.finish("a", [done(7)])
    harness.manager.finish("a", [done(7)])
    assert state(harness, 7) is State.DONE


def test_finish_of_nothing(harness: RedisHarness) -> None:
    """No results and no limit: nothing happens."""
    assert harness.manager.finish("a", []) == []


def test_first_result_wins(harness: RedisHarness) -> None:
    """Of two finishers, the later one changes nothing."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.recover("a", TYPES)
    harness.manager.claim("b", TYPES, limit=1)
    harness.manager.finish("b", [done(7)])
    harness.manager.finish("a", [done(7)._replace(body=b'{"answer": "late"}')])
    assert only(harness.manager.submit([task(7)])).body == answer(7)


def test_late_result_is_kept_if_none_exists(harness: RedisHarness) -> None:
    """The owner lost its claim, but its answer is as good as any: the task stops waiting."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.recover("a", TYPES)
    harness.manager.finish("a", [done(7)])
    status = only(harness.manager.submit([task(7)]))
    assert (status.state, status.load) == (State.DONE, 0)
    assert harness.manager.claim("b", TYPES, limit=1) == []


def test_late_result_while_another_runs_it(harness: RedisHarness) -> None:
    """The late result answers and ends the other owner's claim; its finish changes nothing."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.recover("a", TYPES)
    harness.manager.claim("b", TYPES, limit=1)
    harness.manager.finish("a", [done(7)])
    assert only(harness.manager.submit([task(7)])).state is State.DONE
    assert harness.manager.load([ONE])[0].running == 0
    harness.manager.finish("b", [done(7)])
    assert harness.manager.load([ONE])[0].running == 0


def test_late_failure_is_not_kept(harness: RedisHarness) -> None:
    """A failure may be the fault of the owner that lost the claim."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.recover("a", TYPES)
    harness.manager.finish("a", [failed(7)])
    assert state(harness, 7) is State.WAITING


def test_result_of_a_cancelled_task_is_dropped(harness: RedisHarness) -> None:
    """It is cancelled for all who asked; an answer that comes after all is not used."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    cancelled = harness.manager.cancel(ONE, task(7).id)
    assert cancelled is not None
    assert cancelled.load == 0
    harness.manager.finish("a", [done(7)])
    assert state(harness, 7) is State.CANCELLED


def test_who_waits_for_a_running_task_is_told_of_its_cancelling(harness: RedisHarness) -> None:
    """It is the answer of whoever waits; whoever asks anew has it run again."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.cancel(ONE, task(7).id)
    assert only(harness.manager.submit([replace(task(7), awaited=True)])).state is State.CANCELLED
    assert harness.manager.claim("a", TYPES, limit=1) == []
    assert only(harness.manager.submit([task(7)])).state is State.WAITING
    assert only(harness.manager.submit([replace(task(7), awaited=True)])).state is State.WAITING


def test_late_answer_after_everything_was_lost(harness: RedisHarness) -> None:
    """Redis lost all while the task ran: its result is kept, whoever asks gets it."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    with harness.manager._connection.client() as client:  # type: ignore[attr-defined]
        client.flushall()
        client.script_flush()
    harness.manager.submit([task(7)])
    harness.manager.finish("a", [done(7)])
    status = only(harness.manager.submit([task(7)]))
    assert (status.state, status.load) == (State.DONE, 0)


def test_progress_shows_in_the_status(harness: RedisHarness) -> None:
    """How far a running task is shows to all who ask, and ends with it."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    harness.manager.progress("a", {task(7).id: (ONE, 0.25, "page 1 of 4")})
    assert only(harness.manager.submit([task(7)])).progress == (0.25, "page 1 of 4")
    harness.manager.progress("b", {task(7).id: (ONE, 0.9, "not mine")})
    status = harness.manager.status(ONE, task(7).id)
    assert status is not None
    assert status.progress == (0.25, "page 1 of 4")
    harness.manager.finish("a", [done(7)])
    assert only(harness.manager.submit([task(7)])).progress is None


def test_running_task_is_kept_alive_by_submitting(harness: RedisHarness) -> None:
    """Submitting a running task makes no second one."""
    harness.manager.submit([task(7)])
    harness.manager.claim("a", TYPES, limit=1)
    status = only(harness.manager.submit([task(7)]))
    assert (status.state, status.load) == (State.RUNNING, 1)
    assert harness.manager.claim("b", TYPES, limit=1) == []


def test_wanted_statuses_are_statuses(harness: RedisHarness) -> None:
    """A poll of waiting, running and done tasks at once tells each apart."""
    harness.manager.submit([task(1), task(2)])
    claims = harness.manager.claim("a", TYPES, limit=2)
    harness.manager.finish("a", [harness.result(claims[0])])
    statuses = harness.manager.submit([task(1), task(2), task(3)])
    states = sorted(s.state for s in statuses if isinstance(s, Status))
    assert states == [State.DONE, State.RUNNING, State.WAITING]
