"""Each transition of a task, one script each, on a real server.

`ordered/submit`, `ordered/status`, `ordered/load` and `ordered/cancel` are called by `Ordered`;
`ordered/take`, `ordered/renew`, `ordered/finish`, `ordered/progress` and `ordered/recover` by
`Executions`.
"""

from __future__ import annotations

import json
from typing import Any

import redis
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from task_manager.interface import Result, State, Status
from task_manager.ordered_executions import Held
from tests.helpers import wait_until
from tests.ordered.conftest import SQUARES, MakeHarness, answer, task
from tests.ordered.harness import OrderedHarness

TYPES = [SQUARES]


def state(harness: OrderedHarness, n: int) -> State | None:
    """How a task is."""
    status = harness.manager.status(SQUARES, task(n).id)
    return None if status is None else status.state


def result(n: int, *, done: bool = True) -> Result:
    """A result of the task that asks for `n`."""
    return Result(task(n).id, SQUARES, State.DONE if done else State.FAILED, answer(n), 60.0)


def test_taken_task_is_running(make_harness: MakeHarness) -> None:
    """A taken task runs, held by its worker; it is no longer there to take."""
    harness = make_harness()
    harness.manager.submit([task(7)])
    assert harness.executions.take(TYPES, "w", "e1") == (SQUARES, task(7).id)
    assert harness.executions.take(TYPES, "w", "e2") is None
    status = harness.manager.status(SQUARES, task(7).id)
    assert status is not None
    assert (status.state, status.attempts, status.load) == (State.RUNNING, 1, 1)
    assert harness.executions.renew(["w"]) == [Held(SQUARES, task(7).id, "e1")]


def test_asking_for_a_running_task_makes_no_second_one(make_harness: MakeHarness) -> None:
    """A running task is not enqueued again."""
    harness = make_harness()
    harness.manager.submit([task(7)])
    harness.executions.take(TYPES, "w", "e1")
    harness.manager.submit([task(7)])
    assert harness.executions.take(TYPES, "w", "e2") is None


def test_first_result_wins(make_harness: MakeHarness) -> None:
    """Of two workers that finish the same task the first is heard."""
    harness = make_harness()
    harness.manager.submit([task(7)])
    harness.executions.take(TYPES, "w", "e1")
    harness.executions.recover_worker("w", TYPES)
    harness.executions.take(TYPES, "v", "e2")
    assert harness.executions.finish(result(7), "e2", "v")
    assert not harness.executions.finish(result(7, done=False), "e1", "w")
    assert state(harness, 7) is State.DONE


def test_late_result_is_kept_and_the_retry_does_not_run(make_harness: MakeHarness) -> None:
    """A result that comes after its claim was lost is an answer; its retry is passed over."""
    harness = make_harness()
    harness.manager.submit([task(7)])
    harness.executions.take(TYPES, "w", "e1")
    harness.executions.recover_worker("w", TYPES)
    assert harness.executions.finish(result(7), "e1", "w")
    assert harness.work_once() == []
    status = harness.manager.status(SQUARES, task(7).id)
    assert status is not None
    assert (status.state, status.body, status.load) == (State.DONE, answer(7), 0)


def test_late_failure_is_not_kept(make_harness: MakeHarness) -> None:
    """A failure that comes after its claim was lost may be the loss' own doing."""
    harness = make_harness()
    harness.manager.submit([task(7)])
    harness.executions.take(TYPES, "w", "e1")
    harness.executions.recover_worker("w", TYPES)
    assert not harness.executions.finish(result(7, done=False), "e1", "w")
    assert state(harness, 7) is State.WAITING


def test_result_of_a_cancelled_task_is_dropped(make_harness: MakeHarness) -> None:
    """Cancelled is cancelled, and its worker is told."""
    harness = make_harness()
    harness.manager.submit([task(7)])
    harness.executions.take(TYPES, "w", "e1")
    cancelled = harness.manager.cancel(SQUARES, task(7).id)
    assert cancelled is not None
    assert (cancelled.state, cancelled.load) == (State.CANCELLED, 0)
    assert harness.executions.renew(["w"]) == [Held(SQUARES, task(7).id, "e1", cancelled=True)]
    assert not harness.executions.finish(result(7), "e1", "w")
    assert state(harness, 7) is State.CANCELLED


def test_dead_workers_task_runs_next(make_harness: MakeHarness) -> None:
    """What a dead worker ran waits again before all others; recovering twice does no harm."""
    harness = make_harness()
    harness.manager.submit([task(n) for n in (1, 2, 3)])
    harness.executions.take(TYPES, "w", "e1")
    assert harness.executions.recover_worker("w", TYPES) == "waiting"
    assert harness.executions.recover_worker("w", TYPES) == "left"
    assert harness.work_once() == [1, 2, 3]


def test_deadly_task_fails_after_max_attempts(make_harness: MakeHarness) -> None:
    """A task whose worker dies each time fails at last, saying so."""
    harness = make_harness(max_attempts=3)
    harness.manager.submit([task(7)])
    outcomes = []
    for n in range(3):
        harness.executions.take(TYPES, f"w{n}", f"e{n}")
        outcomes.append(harness.executions.recover_worker(f"w{n}", TYPES))
    assert outcomes == ["waiting", "waiting", "failed"]
    (status,) = harness.manager.submit([task(7)])
    assert isinstance(status, Status)
    assert (status.state, status.attempts) == (State.FAILED, 3)
    assert json.loads(status.body or b"")["error"]["code"] == "deadly"


def test_stopped_workers_attempt_does_not_count(make_harness: MakeHarness) -> None:
    """A worker that was told to stop is not its task's fault."""
    harness = make_harness(max_attempts=1)
    harness.manager.submit([task(7)])
    harness.executions.take(TYPES, "w", "e1")
    assert harness.executions.recover_worker("w", TYPES, counts=False) == "waiting"
    status = harness.manager.status(SQUARES, task(7).id)
    assert status is not None
    assert (status.state, status.attempts) == (State.WAITING, 0)


def test_dead_workers_abandoned_task_is_dropped(
    make_harness: MakeHarness, client: redis.Redis
) -> None:
    """A running task that nobody asks about any more is not retried."""
    harness = make_harness(input_ttl_s=0.2)
    harness.manager.submit([task(7)])
    harness.executions.take(TYPES, "w", "e1")
    begun = harness.manager.status(SQUARES, task(7).id)
    assert begun is not None

    def interest_over() -> bool:
        now: Any = client.time()
        seconds, micros = now
        assert begun.submitted_ms is not None
        return bool(seconds * 1000 + micros // 1000 > begun.submitted_ms + 200)

    wait_until(interest_over, description="nobody wants it")
    assert harness.executions.recover_worker("w", TYPES) == "dropped"
    assert state(harness, 7) is None


def test_lapsed_lease_is_recovered_and_a_renewed_one_is_not(make_harness: MakeHarness) -> None:
    """When a machine is gone its tasks come back within one lease; a renewed one keeps its."""
    harness = make_harness(lease_s=0.5)
    harness.manager.submit([task(1), task(2)])
    harness.executions.take(TYPES, "gone", "e1")
    harness.executions.take(TYPES, "here", "e2")

    def recovered() -> bool:
        harness.executions.renew(["here"])
        return harness.executions.recover_lapsed(TYPES) == 1

    wait_until(recovered, description="the lease is over", timeout_s=3)
    assert (state(harness, 1), state(harness, 2)) == (State.WAITING, State.RUNNING)


def test_a_lapsed_lease_takes_the_worker_off_the_load(make_harness: MakeHarness) -> None:
    """`workers` counts those whose lease is valid."""
    harness = make_harness(lease_s=1.0)
    worker = harness.worker()
    worker.register_birth()
    worker.heartbeat()
    assert harness.manager.load(TYPES)[0].workers == 1
    wait_until(lambda: harness.manager.load(TYPES)[0].workers == 0, description="it lapsed")
    worker.register_death()
    worker.connection.close()


def test_progress_shows_while_running(make_harness: MakeHarness) -> None:
    """Progress is shown for the execution that holds the task, and no other."""
    harness = make_harness()
    harness.manager.submit([task(7)])
    harness.executions.take(TYPES, "w", "e1")
    harness.executions.progress(Held(SQUARES, task(7).id, "e0"), 0.9, "stale")
    harness.executions.progress(Held(SQUARES, task(7).id, "e1"), 0.25, "a quarter, so far")
    status = harness.manager.status(SQUARES, task(7).id)
    assert status is not None
    assert status.progress == (0.25, "a quarter, so far")


def test_scripts_are_loaded_again_after_a_restart(
    make_harness: MakeHarness, client: redis.Redis
) -> None:
    """A server that forgot its scripts is served as before."""
    harness = make_harness()
    client.script_flush()
    harness.manager.submit([task(7)])
    client.script_flush()
    assert harness.work_once() == [7]


def test_rqs_own_clean_up_makes_no_second_run(
    make_harness: MakeHarness, client: redis.Redis
) -> None:
    """RQ's tools may find a lapsed execution first (`rq info` cleans up): the task runs once more,
    not twice, and not at all when nobody wants it."""
    harness = make_harness(lease_s=0.2, input_ttl_s=2.0)
    harness.manager.submit([task(1), task(2)])
    harness.executions.take(TYPES, "w", "e1")
    harness.executions.take(TYPES, "v", "e2")
    registry = StartedJobRegistry(SQUARES, client, serializer=JSONSerializer)

    def cleaned() -> bool:
        harness.manager.submit([task(1)])
        registry.cleanup()
        return state(harness, 1) is State.WAITING

    wait_until(cleaned, description="RQ found the lapsed executions")
    harness.executions.recover_worker("w", TYPES)
    harness.executions.recover_lapsed(TYPES)
    first = harness.manager.status(SQUARES, task(2).id)
    assert first is not None
    assert first.submitted_ms is not None
    over_ms = first.submitted_ms + 2000

    def interest_over() -> bool:
        harness.manager.submit([task(1)])
        now: Any = client.time()
        return bool(now[0] * 1000 + now[1] // 1000 > over_ms)

    wait_until(interest_over, description="nobody wants the second")
    assert harness.work_once() == [1]


def test_lost_redis_asked_again_is_answered(make_harness: MakeHarness, client: redis.Redis) -> None:
    """When Redis loses everything, asking again brings everything back, running tasks included."""
    harness = make_harness()
    harness.manager.submit([task(1), task(2)])
    harness.executions.take(TYPES, "w", "e1")
    client.flushall()
    harness.manager.submit([task(1), task(2)])
    assert not harness.executions.finish(result(1, done=False), "e1", "w")
    assert harness.work_once() == [1, 2]
