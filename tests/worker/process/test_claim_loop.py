"""What a worker process' two threads do between them, against a task manager in memory."""

from __future__ import annotations

import time
from typing import Any

import pytest

from doneyet.task_types.loading import load
from task_manager.values import Claim, State
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch
from tests.worker.fake_manager import FakeManager
from tests.worker.one_process import (
    Controlled,
    Start,
    kind,
    manager,
    start,
    wait_for_results,
)
from worker.process.claim_loop import CHOOSE_FROM, MOST_FAILURES
from worker.process.prefetch import GROUPED_HELD_MOST_S, HELD_MOST_S

__all__ = ["kind", "manager", "start"]


def test_every_task_is_answered_once(manager: FakeManager, kind: Controlled, start: Start) -> None:
    """Through many claims of growing size."""
    ids = [f"t{n}" for n in range(2000)]
    manager.add(kind.name, *ids)
    start()
    wait_for_results(manager, 2000)
    assert sorted(key for batch in kind.batches for key in batch) == sorted(ids)
    assert not manager.held


def test_results_and_the_next_claim_share_a_round_trip(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """Two thousand tiny tasks take a few dozen calls."""
    manager.add(kind.name, *[f"t{n}" for n in range(2000)])
    start()
    wait_for_results(manager, 2000)
    assert len(manager.calls) < 60


def test_runs_are_told_once(manager: FakeManager, kind: Controlled, start: Start) -> None:
    """With the results that came of them; also where Redis did not take them at first."""
    manager.add(kind.name, *[f"t{n}" for n in range(500)])
    start()
    wait_for_results(manager, 500)
    manager.away = True
    manager.add(kind.name, "later")
    wait_until(lambda: manager.called("claim"), description="it has asked")
    manager.away = False
    wait_for_results(manager, 501)
    (told,) = manager.runs.values()
    assert [*manager.runs] == [kind.name]
    assert told["batch_tasks"] == 501
    assert told["batch_1"] == len(kind.batches)
    assert sum(count for event, count in told.items() if event.startswith("run_")) >= 501


def test_states_and_lifetimes_come_from_the_answer_and_the_type(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """A failure is kept more briefly than a result."""
    manager.add(kind.name, "good", "bad")
    start()
    wait_for_results(manager, 2)
    assert (manager.results["good"].state, manager.results["good"].ttl_s) == (State.DONE, 100.0)
    assert (manager.results["bad"].state, manager.results["bad"].ttl_s) == (State.FAILED, 10.0)


def test_a_prefetch_leaves_as_many_tasks_as_it_takes(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """So that an idle worker gets some; only an idle worker takes all."""
    manager.add(kind.name, *[f"t{n}" for n in range(500)])
    start()
    wait_for_results(manager, 500)
    prefetches = [call for call in manager.calls if call[2]]
    assert prefetches
    assert all(limit == leave for _, limit, leave in prefetches)


def test_claims_that_cannot_begin_soon_are_given_back(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """A long task must not keep quick ones from idle workers; only it stays claimed."""
    manager.add(kind.name, *[f"t{n}" for n in range(200)])
    start()
    wait_for_results(manager, 200)
    kind.gate.clear()
    manager.add(kind.name, *[f"u{n}" for n in range(20)])
    wait_until(lambda: len(manager.held) > 1, description="several are claimed")
    wait_until(lambda: len(manager.waiting) == 19, description="all but the running one are back")
    assert list(manager.held) == kind.batches[-1]
    kind.gate.set()
    wait_for_results(manager, 220)
    assert len(kind.batches) == 220


def test_what_is_held_shows_on_the_board(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """Of many claims in the end the one that runs; nothing once it has."""
    manager.add(kind.name, *[f"t{n}" for n in range(20)])
    kind.gate.clear()
    process = start()
    wait_until(lambda: process.board.held == 1, description="one is held")
    kind.gate.set()
    wait_for_results(manager, 20)
    wait_until(lambda: process.board.held == 0, description="none is held")


class _Grouped(Controlled):
    """Inputs cost what their key says, so that each is a batch of its own."""

    max_batch_size, batch_overhead = 8, 0.0

    def cost(self, item: Any) -> float:
        return float(item.key)


def test_grouped_claims_are_kept_while_others_have_enough_to_do(
    manager: FakeManager, start: Start
) -> None:
    """Giving them back would undo the grouping, and nobody is idle who could take them."""
    kind = _Grouped()
    load(kind)
    kind.gate.clear()
    manager.add(kind.name, *map(str, range(12)))
    start(kind)
    wait_until(lambda: len(kind.batches) == 1, description="the first one runs")
    held_until_s = time.monotonic() + 2.5 * HELD_MOST_S
    while time.monotonic() < held_until_s:
        assert not manager.called("release")
        time.sleep(0.01)
    manager.waiting.clear()  # now somebody may be idle
    wait_until(lambda: manager.called("release"), description="the others are given back")
    assert len(manager.held) == 1
    kind.gate.set()


def test_grouped_inputs_are_chosen_from_twice_as_many(manager: FakeManager, start: Start) -> None:
    """So that more of them are alike; what is left to others is a share all the same."""
    kind = _Grouped()
    load(kind)
    manager.add(kind.name, *map(str, range(400)))
    start(kind)
    wait_for_results(manager, 400)
    prefetches = [call for call in manager.calls if call[2]]
    assert prefetches
    assert all(limit == CHOOSE_FROM * leave for _, limit, leave in prefetches)


def test_grouped_claims_are_not_kept_for_ever(manager: FakeManager, start: Start) -> None:
    """Whatever waits: a batch may take hours."""
    kind = _Grouped()
    load(kind)
    kind.gate.clear()
    manager.add(kind.name, *map(str, range(12)))
    start(kind)
    wait_until(
        lambda: manager.called("release"),
        description="they are given back",
        timeout_s=GROUPED_HELD_MOST_S + 2,
    )
    kind.gate.set()


def test_a_result_is_stored_while_the_next_batch_runs(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """Who asked for the first does not wait for the second."""
    manager.add(kind.name, "first")
    start()
    wait_for_results(manager, 1)
    kind.gate.clear()
    manager.add(kind.name, "second")
    wait_until(lambda: ["second"] in kind.batches, description="the second runs")
    assert set(manager.results) == {"first"}


def test_a_drain_finishes_what_runs_and_gives_back_the_rest(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """Nothing more begins."""
    kind.max_batch_size = 1
    process = start()
    manager.add(kind.name, *[f"t{n}" for n in range(100)])
    wait_for_results(manager, 100)
    kind.gate.clear()
    manager.add(kind.name, *[f"u{n}" for n in range(10)])
    wait_until(lambda: len(kind.batches) == 101, description="one runs")
    process.drain()
    wait_until(lambda: len(manager.waiting) == 9, description="nine are given back")
    assert not process.over
    kind.gate.set()
    wait_until(lambda: process.over, description="both threads have ended")
    assert len(manager.results) == 101
    assert not manager.held


def test_an_idle_process_drains_at_once(manager: FakeManager, start: Start) -> None:
    """At most as long as it blocks for a task."""
    process = start()
    wait_until(lambda: manager.calls, description="it waits for tasks")
    watch = Stopwatch()
    process.drain()
    wait_until(lambda: process.over, description="it has ended")
    assert watch.within_s(2), watch


def test_a_result_is_kept_while_redis_is_away(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """It is stored afterwards, and not computed again."""
    kind.gate.clear()
    manager.add(kind.name, "t")
    process = start()
    wait_until(lambda: kind.batches, description="it runs")
    manager.away = True
    kind.gate.set()
    wait_until(lambda: process.board.read() is None, description="it has run")
    assert not manager.results
    manager.away = False
    wait_for_results(manager, 1)
    assert kind.batches == [["t"]]


def test_claims_whose_reply_was_lost_are_given_back(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """Nobody would ever run them: their owner lives, and has not heard of them."""
    manager.lose_replies = True
    manager.add(kind.name, "t")
    start()
    wait_until(lambda: manager.held, description="it was claimed")
    manager.lose_replies = False
    wait_for_results(manager, 1)
    names = [name for name, _, _ in manager.calls]
    # Claims of an owner that is not registered would be lost: registered again at once.
    assert names[names.index("recover") + 1] == "renew"


def test_lost_claims_are_given_back_within_a_lease_of_a_long_run(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """What runs then may run twice, but the others do not wait for its end."""
    start(lease_s=1.0)
    manager.add(kind.name, *[f"t{n}" for n in range(50)])
    wait_for_results(manager, 50)
    kind.gate.clear()
    manager.lose_prefetches = True
    manager.add(kind.name, *[f"u{n}" for n in range(3000)])
    wait_until(lambda: len(kind.batches) == 51, description="one runs, for long")
    wait_until(lambda: manager.called("release"), description="the unbegun are released")
    assert len(manager.held) > 1
    manager.lose_prefetches = False
    wait_until(lambda: manager.called("recover"), description="claims are ended")
    kind.gate.set()
    wait_for_results(manager, 3050)


def test_a_batch_waits_for_more_until_its_deadline(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """Counted from its first input, so a second one does not prolong it."""
    kind.max_batch_size, kind.batch_wait_ms = 4, 300.0
    start()
    manager.add(kind.name, "a")
    wait_until(lambda: manager.held, description="the first is claimed")
    manager.add(kind.name, "b", "c")
    wait_for_results(manager, 3)
    assert kind.batches == [["a", "b", "c"]]


def test_a_full_batch_does_not_wait(manager: FakeManager, kind: Controlled, start: Start) -> None:
    """Nothing could be added."""
    kind.max_batch_size, kind.batch_wait_ms = 4, 60_000.0
    start()
    manager.add(kind.name, "a", "b", "c", "d")
    wait_for_results(manager, 4)
    assert kind.batches == [["a", "b", "c", "d"]]


def test_progress_is_sent_while_a_batch_runs(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """From the handler's index to the task's id."""
    kind.max_batch_size = 2
    kind.gate.clear()
    manager.add(kind.name, "a", "b")
    start()
    wait_until(lambda: kind.batches, description="it runs")
    kind.context.progress(1, 0.5, "half")
    wait_until(lambda: manager.reports, description="the report is there")
    assert manager.reports == {"b": (kind.name, 0.5, "half")}


class _Unbatchable(Controlled):
    """What nobody foresaw happens when its claims are made batches."""

    max_batch_size = 4
    max_batch_cost = 100.0

    @property
    def batch_overhead(self) -> float:  # type: ignore[override]
        raise RuntimeError("nobody foresaw this")


def test_what_cannot_be_made_batches_runs_alone(
    manager: FakeManager, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """The claims are answered one by one; nothing is tried for ever, or even again."""
    kind = _Unbatchable()
    load(kind)
    manager.add("controlled", "a", "b", "c")
    start(kind)
    wait_for_results(manager, 3)
    assert sorted(kind.batches) == [["a"], ["b"], ["c"]]
    assert "nobody foresaw this" in caplog.text
    assert "trying again" not in caplog.text


def test_what_fails_for_ever_ends_the_process(
    manager: FakeManager, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new one, with each task by itself, may get on; a failure that passes is waited out."""
    monkeypatch.setattr("worker.process.claim_loop.FAILED_WAIT_S", 0.01)
    process = start(begin=False)
    failing = iter([True, True, False, *[True] * 9])

    def fail_often(*_arguments: object, **_named: object) -> list[Claim]:
        if next(failing):
            raise ValueError("a reply that nobody foresaw")
        return []

    monkeypatch.setattr(manager, "claim", fail_often)
    for _ in range(3 + MOST_FAILURES - 1):
        assert not process.claim_loop.run_once()
    with pytest.raises(ValueError, match="nobody foresaw"):
        process.claim_loop.run_once()


def test_what_comes_while_it_drains_is_not_claimed(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """Also where it had begun to wait for a task before that."""
    process = start()
    wait_until(lambda: len(manager.calls) > 1, description="it waits for a task")
    process.drain()
    manager.add("controlled", "a")
    wait_until(lambda: process.over, description="it ends")
    assert (kind.batches, len(manager.waiting)) == ([], 1)
    assert not manager.called("release")
