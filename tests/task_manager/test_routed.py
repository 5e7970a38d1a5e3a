"""Submitting where types wait in two places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from doneyet.settings import Settings
from task_manager import open_for_coordinator, open_submitter
from task_manager.composite import Routed
from task_manager.errors import CannotListError
from task_manager.interface import TaskSubmitter
from task_manager.values import State, Status, Task
from tests.contract.harness import TypeLimits
from tests.helpers import wait_until

PLAIN, JOB = "plain", "job"
LIMITS = {PLAIN: TypeLimits(), JOB: TypeLimits(coordinated=True)}


def task(number: int, type_name: str) -> Task:
    """One of many."""
    return Task(f"{number:040x}", type_name, b'{"n":%d}' % number)


@pytest.fixture(params=["random", "ordered", "distributed", "rq"])
def submitter(request: pytest.FixtureRequest, redis_url: str) -> Iterator[TaskSubmitter]:
    """The submitting half of each queue mode, with a type of each kind."""
    manager = open_submitter(Settings(redis_url=redis_url, queue_mode=request.param), LIMITS)
    assert isinstance(manager, Routed) == (request.param in ("random", "rq"))
    yield manager
    manager.close()


def test_answers_come_in_the_order_of_the_tasks(submitter: TaskSubmitter) -> None:
    """Whichever place each of them waits in."""
    tasks = [task(n, JOB if n % 2 else PLAIN) for n in range(7)]
    statuses = submitter.submit(tasks)
    assert [(each.id, each.type) for each in statuses if isinstance(each, Status)] == [
        (each.id, each.type) for each in tasks
    ]
    assert [load.waiting for load in submitter.load([JOB, PLAIN])] == [3, 4]
    assert [load.type for load in submitter.load([PLAIN])] == [PLAIN]


def test_jobs_wait_for_coordinators_alone(submitter: TaskSubmitter, redis_url: str) -> None:
    """Who claims jobs gets no other task, whatever waits."""
    submitter.submit([task(1, PLAIN), task(2, JOB)])
    coordinator = open_for_coordinator(Settings(redis_url=redis_url), {JOB: LIMITS[JOB]})
    coordinator.renew({"owner": [JOB]}, 10)
    assert [claim.id for claim in coordinator.claim("owner", [JOB], 10)] == [task(2, JOB).id]
    running = submitter.status(JOB, task(2, JOB).id)
    assert running is not None
    assert running.state == State.RUNNING
    coordinator.close()


def test_each_is_cancelled_where_it_is(submitter: TaskSubmitter) -> None:
    """And told of by the one watch."""
    heard: list[str] = []
    connected: list[bool] = []
    hear: Callable[[Sequence[str]], None] = heard.extend
    watch = submitter.watch(hear, connected.append)
    wait_until(lambda: connected == [True], description="the watch is there")
    ids = {task(3, PLAIN).id, task(4, JOB).id}
    submitter.submit([task(3, PLAIN), task(4, JOB)])
    for name, number in ((PLAIN, 3), (JOB, 4)):
        cancelled = submitter.cancel(name, task(number, name).id)
        assert cancelled is not None
        assert cancelled.state == State.CANCELLED
    wait_until(lambda: set(heard) == ids, description="both are heard of")
    watch.close()


def test_both_places_are_listed(submitter: TaskSubmitter) -> None:
    """In one list; in the random queue mode what waits in the one that has an order."""
    tasks = [task(n, JOB if n % 2 else PLAIN) for n in range(8)]
    submitter.submit(tasks)
    for name, number in ((PLAIN, 2), (JOB, 3), (PLAIN, 4)):
        submitter.cancel(name, task(number, name).id)
    told: list[str] = []
    page = submitter.listed([PLAIN, JOB], State.CANCELLED, limit=2)
    told += [each.id for each in page.tasks]
    page = submitter.listed([PLAIN, JOB], State.CANCELLED, limit=2, after=page.end)
    told += [each.id for each in page.tasks]
    assert sorted(told) == [task(n, "").id for n in (2, 3, 4)]
    waiting = submitter.listed([JOB], State.WAITING)
    assert {each.id for each in waiting.tasks} == {task(n, "").id for n in (1, 5, 7)}
    ids, is_more = submitter.cancel_waiting(JOB, 10)
    assert (len(ids), is_more) == (3, False)
    if submitter.promises.lists_waiting:
        assert len(submitter.listed([PLAIN, JOB], State.WAITING).tasks) == 2
    else:
        with pytest.raises(CannotListError):
            submitter.listed([PLAIN, JOB], State.WAITING)
    assert submitter.workers([PLAIN, JOB]) == []
