"""What lists tell of claimed tasks and of those who hold them."""

from __future__ import annotations

from task_manager.listing import MOST_TASKS_OF_WORKER
from task_manager.values import State
from tests.contract.claiming.tasks import MakeHarness, failed
from tests.contract.harness import ONE, OTHER, RedisHarness, task
from tests.helpers import wait_until


def claim_all(harness: RedisHarness, owner: str, count: int) -> None:
    """Has the owner claim so many tasks."""
    held: list[str] = []

    def has_all() -> bool:
        held.extend(claim.id for claim in harness.manager.claim(owner, [ONE], count))
        return len(held) == count

    wait_until(has_all, description="all are claimed")


def test_running_tasks_are_listed(harness: RedisHarness) -> None:
    """Those first that began last, with their progress; not as waiting any more."""
    manager = harness.manager
    manager.submit([task(1)])
    claim_all(harness, "a", 1)
    manager.submit([task(2)])
    claim_all(harness, "b", 1)
    manager.progress("b", {task(2).id: (ONE, 0.5, "half")})
    page = manager.listed([ONE, OTHER], State.RUNNING)
    assert {each.id for each in page.tasks} == {task(1).id, task(2).id}
    times = [each.started_ms or 0 for each in page.tasks]
    assert times == sorted(times, reverse=True)
    told = {each.id: each for each in page.tasks}
    assert told[task(2).id].progress == (0.5, "half")
    assert (told[task(1).id].progress, told[task(1).id].attempts) == (None, 1)
    assert {each.state for each in manager.listed([ONE]).tasks} == {State.RUNNING}


def test_workers_are_listed(harness: RedisHarness) -> None:
    """Each for the types that it serves, with what it runs: as many as there are, and some ids."""
    manager = harness.manager
    count = MOST_TASKS_OF_WORKER + 5
    manager.submit([task(n) for n in range(count)])
    claim_all(harness, "a", count)
    workers = {(each.owner, each.type): each for each in manager.workers([ONE, OTHER])}
    assert set(workers) == {("a", ONE), ("a", OTHER), ("b", ONE), ("b", OTHER)}
    busy = workers["a", ONE]
    assert (busy.version, busy.running_count) == ("1", count)
    assert len(busy.running) == MOST_TASKS_OF_WORKER
    assert {each.id for each in busy.running} <= {task(n).id for n in range(count)}
    assert all(each.started_ms > 0 for each in busy.running)
    assert [workers[key].running_count for key in workers if key != ("a", ONE)] == [0, 0, 0]


def test_workers_of_other_versions_are_listed(make_harness: MakeHarness) -> None:
    """As during an update; those whose lease is over are not."""
    old, new = make_harness(version="1"), make_harness(version="2")
    old.manager.renew({"old": [ONE]}, lease_s=10)
    new.manager.renew({"new": [ONE]}, lease_s=10)
    old.manager.renew({"gone": [ONE]}, lease_s=0.001)

    def owners() -> list[tuple[str, str]]:
        return [(each.owner, each.version) for each in new.manager.workers([ONE])]

    wait_until(lambda: owners() == [("old", "1"), ("new", "2")], description="two are there")


def test_tasks_of_a_dead_process_are_listed(make_harness: MakeHarness) -> None:
    """As failed, with the reason, once they are not tried again."""
    harness = make_harness(max_attempts=1)
    harness.manager.renew({"a": [ONE]}, lease_s=10)
    harness.manager.submit([task(1)])
    claim_all(harness, "a", 1)
    harness.manager.recover("a", [ONE])
    (told,) = harness.manager.listed([ONE], State.FAILED).tasks
    assert told.id == task(1).id
    assert told.error
    assert told.error[0] == "crashed"


def test_a_cancelled_run_is_listed_once(harness: RedisHarness) -> None:
    """As cancelled, whatever its worker says later."""
    manager = harness.manager
    manager.submit([task(1)])
    claim_all(harness, "a", 1)
    manager.cancel(ONE, task(1).id)
    manager.finish("a", [failed(1)])
    (told,) = manager.listed([ONE]).tasks
    assert told.state is State.CANCELLED
    assert told.started_ms


def test_an_error_that_cannot_be_read(harness: RedisHarness) -> None:
    """Is not told; the task is."""
    manager = harness.manager
    manager.submit([task(1)])
    claim_all(harness, "a", 1)
    manager.finish("a", [failed(1)])
    (told,) = manager.listed([ONE], State.FAILED).tasks
    assert (told.id, told.error) == (task(1).id, None)
