"""What lists tell of tasks and workers, in every queue mode, and that reading them is bounded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from doneyet.settings import Settings
from task_manager import open_task_manager
from task_manager.errors import AlreadyTerminalError, CannotListError
from task_manager.interface import TaskManager
from task_manager.listing import ListedTask, Page, Place
from task_manager.values import Asker, State
from tests.contract.conftest import WAITING_MODES, MakeHarness
from tests.contract.harness import ONE, OTHER, Harness, TypeLimits, only, task
from tests.helpers import connect, wait_until

where_tasks_wait = pytest.mark.parametrize("queue_mode", WAITING_MODES)
where_they_are_listed = pytest.mark.parametrize("queue_mode", ["distributed", "ordered", "rq"])
BOTH = (ONE, OTHER)


def ids(page: Page) -> list[str]:
    """Those of a page, in order."""
    return [each.id for each in page.tasks]


def all_pages(harness: Harness, state: State | None, limit: int) -> list[ListedTask]:
    """All that pages of so many tell, one after the other."""
    after: Place | None = None
    told: list[ListedTask] = []
    while True:
        page = harness.manager.listed(BOTH, state, limit=limit, after=after)
        assert len(page.tasks) <= limit
        told += page.tasks
        after = page.end
        if after is None:
            return told


def run_all(harness: Harness, runs: int) -> None:
    """Lets a worker work until so many tasks were run and are terminal."""
    wait_until(lambda: harness.work_once() or len(harness.runs) == runs, description="all ran")

    def none_runs() -> bool:
        return not any(load.running for load in harness.manager.load(BOTH))

    wait_until(none_runs, description="their results are stored")


def test_nothing_is_listed_where_nothing_was(harness: Harness) -> None:
    """No tasks, and no page behind this one."""
    assert harness.manager.listed(BOTH) == Page([])
    assert harness.manager.listed([]) == Page([])
    assert harness.manager.workers([]) == []


def test_ends_are_listed(harness: Harness) -> None:
    """With times and attempts; why it failed; no input and no answer."""
    harness.manager.submit([task(3), task(-4), task(5, OTHER)])
    run_all(harness, 3)
    told = {each.id: each for each in harness.manager.listed(BOTH).tasks}
    assert {each.state for each in told.values()} == {State.DONE, State.FAILED}
    done, failed, other = told[task(3).id], told[task(-4).id], told[task(5, OTHER).id]
    assert (done.type, other.type, done.attempts, done.error) == (ONE, OTHER, 1, None)
    assert failed.error == ("task-failed", "negative")
    assert done.submitted_ms
    assert done.started_ms
    assert done.finished_ms
    assert done.submitted_ms <= done.started_ms <= done.finished_ms
    assert ids(harness.manager.listed([ONE], State.FAILED)) == [failed.id]
    assert ids(harness.manager.listed([OTHER])) == [other.id]
    assert ids(harness.manager.listed([OTHER], State.FAILED)) == []


def test_pages_tell_each_task_once(harness: Harness) -> None:
    """Of all types and ways to end, the newest first, whatever ends meanwhile."""
    numbers = [*range(1, 13), *range(-12, 0)]
    for start in range(0, 24, 4):
        part = numbers[start : start + 4]
        harness.manager.submit([task(n, BOTH[n % 2]) for n in part])
        run_all(harness, start + 4)
    told = all_pages(harness, None, 5)
    assert {each.id for each in told} == {task(n, BOTH[n % 2]).id for n in numbers}
    assert len(told) == 24
    times = [each.finished_ms or 0 for each in told]
    assert times == sorted(times, reverse=True)
    first = harness.manager.listed(BOTH, limit=10)
    harness.manager.submit([task(n) for n in range(100, 110)])
    run_all(harness, 34)
    second = harness.manager.listed(BOTH, limit=24, after=first.end)
    assert [*ids(first), *ids(second)] == [each.id for each in told]
    assert second.end is None


def test_a_task_is_listed_as_it_is(harness: Harness) -> None:
    """Once, where it ran twice; not as done, where its answer was dropped and it waits again."""
    harness.manager.submit([task(1)])
    run_all(harness, 1)
    harness.manager.submit([task(1)], discard=True)
    run_all(harness, 2)
    assert ids(harness.manager.listed(BOTH)) == [task(1).id]
    if not harness.manager.promises.answers_at_once:
        harness.manager.submit([task(1)], discard=True)
        assert ids(harness.manager.listed(BOTH, State.DONE)) == []


@pytest.mark.parametrize("queue_mode", ["random", "distributed", "ordered", "rq"])
def test_failures_are_listed_when_nobody_can_get_them_any_more(make_harness: MakeHarness) -> None:
    """With why they failed: whoever looks for it comes later than within a minute. A task that is
    done since is listed as that, once."""
    harness = make_harness(failure_ttl_s=0.3)
    harness.manager.submit([task(-1), task(-2), task(3)])
    run_all(harness, 3)
    wait_until(
        lambda: harness.manager.status(ONE, task(-1).id) is None, description="it is forgotten"
    )
    failed = harness.manager.listed(BOTH, State.FAILED).tasks
    assert {each.id for each in failed} == {task(-1).id, task(-2).id}
    assert all(each.error and each.error[0] == "task-failed" for each in failed)
    assert len(harness.manager.listed(BOTH).tasks) == 3
    assert len(harness.manager.listed(BOTH, State.DONE).tasks) == 1


@pytest.mark.parametrize("queue_mode", ["synchronous"])
def test_expired_results_are_left_out(make_harness: MakeHarness) -> None:
    """Where nobody but the server itself knows of a task."""
    harness = make_harness(failure_ttl_s=0.3)
    harness.manager.submit([task(-1), task(2)])
    run_all(harness, 2)
    wait_until(lambda: ids(harness.manager.listed(BOTH)) == [task(2).id], description="one expired")


def test_ids_are_found_by_how_they_begin(harness: Harness) -> None:
    """Whatever the page's limit, among all that is listed."""
    harness.manager.submit([task(n) for n in range(20)])
    run_all(harness, 20)
    sought = task(7).id
    assert ids(harness.manager.listed(BOTH, prefix=sought[:12], limit=1)) == [sought]
    assert ids(harness.manager.listed(BOTH, State.DONE, prefix=sought)) == [sought]
    assert ids(harness.manager.listed(BOTH, prefix="0" * 20)) == []


@where_tasks_wait
def test_cancelled_tasks_are_listed(harness: Harness) -> None:
    """Those that waited never began."""
    harness.manager.submit([task(1)])
    harness.manager.cancel(ONE, task(1).id)
    (told,) = harness.manager.listed(BOTH).tasks
    assert (told.state, told.attempts, told.started_ms) == (State.CANCELLED, 0, None)
    assert told.submitted_ms
    assert told.finished_ms


@where_they_are_listed
def test_waiting_tasks_are_listed(harness: Harness) -> None:
    """One type after the other, and each once, page by page, also where some are gone meanwhile."""
    tasks = [task(n, BOTH[n % 2]) for n in range(40)]
    for part in range(0, 40, 8):
        harness.manager.submit(tasks[part : part + 8])
    told = all_pages(harness, State.WAITING, 7)
    assert [each.type for each in told] == [OTHER] * 20 + [ONE] * 20
    assert {each.id for each in told} == {each.id for each in tasks}
    assert all(each.submitted_ms and each.attempts == 0 for each in told)
    mixed = harness.manager.listed(BOTH, limit=100)
    assert {*ids(mixed)} == {each.id for each in tasks}
    first = harness.manager.listed([ONE], State.WAITING, limit=5)
    for each in ids(first):
        harness.manager.cancel(ONE, each)
    assert first.end
    rest = harness.manager.listed([ONE], State.WAITING, limit=50, after=first.end)
    assert [*ids(first), *ids(rest)] == [each.id for each in told[20:]]
    sought = told[33].id
    assert ids(harness.manager.listed(BOTH, State.WAITING, prefix=sought[:14])) == [sought]


@pytest.mark.parametrize("queue_mode", ["distributed", "ordered"])
def test_new_tasks_move_no_waiting_ones(harness: Harness) -> None:
    """Between two pages others come, some of them to be claimed before those: none is told twice,
    and none of those that waited from the start is passed over."""
    manager = harness.manager
    manager.submit([task(n) for n in range(12)])
    told: list[str] = []
    after: Place | None = None
    for number in range(100, 104):
        page = manager.listed([ONE], State.WAITING, limit=3, after=after)
        told += ids(page)
        after = page.end
        urgent = [task(number + 10 * n) for n in range(3)]
        for each in urgent:
            each.asker = Asker(f"client {number}", priority=1)
        manager.submit(urgent)
    assert len(told) == len({*told}) == 12
    assert {*told} == {task(n).id for n in range(12)}


@pytest.mark.parametrize("queue_mode", ["distributed", "ordered"])
def test_waiting_tasks_are_listed_in_turn(harness: Harness) -> None:
    """In the order in which workers are to begin them."""
    for n in range(30):
        harness.manager.submit([task(n)])
    told = [each.id for each in all_pages(harness, State.WAITING, 4)]
    run_all(harness, 30)
    assert told == [task(n).id for n in harness.runs]


@pytest.mark.parametrize("queue_mode", ["random"])
def test_where_waiting_tasks_are_not_listed(harness: Harness) -> None:
    """It says why, and what to do; lists of all states leave them out."""
    assert not harness.manager.promises.lists_waiting
    harness.manager.submit([task(1)])
    for refused in (
        lambda: harness.manager.listed(BOTH, State.WAITING),
        lambda: harness.manager.cancel_waiting(ONE, 10),
    ):
        with pytest.raises(CannotListError, match=r"random.*--distributed"):
            refused()
    assert harness.manager.listed(BOTH) == Page([])


@where_they_are_listed
def test_all_waiting_tasks_of_a_type_are_cancelled(harness: Harness) -> None:
    """A bounded number at once, as by `cancel`: known as cancelled, told to watchers, counted."""
    heard: list[str] = []
    connected: list[bool] = []
    hear: Callable[..., None] = heard.extend
    watch = harness.manager.watch(hear, connected.append)
    wait_until(lambda: connected, description="the watch is there")
    harness.manager.submit([task(n) for n in range(25)] + [task(1, OTHER)])
    first, is_more = harness.manager.cancel_waiting(ONE, 10)
    assert (len(first), is_more) == (10, True)
    assert [load.waiting for load in harness.manager.load(BOTH)] == [15, 1]
    rest, _ = harness.manager.cancel_waiting(ONE, 100)
    assert {*first, *rest} == {task(n).id for n in range(25)}
    assert harness.manager.cancel_waiting(ONE, 100) == ([], False)
    wait_until(lambda: {*heard} == {*first, *rest}, description="all are heard of")
    watch.close()
    status = harness.manager.status(ONE, task(3).id)
    assert status
    assert status.state is State.CANCELLED
    assert status.submitted_ms
    with pytest.raises(AlreadyTerminalError):
        harness.manager.cancel(ONE, task(3).id)
    assert len(all_pages(harness, State.CANCELLED, 10)) == 25
    assert harness.manager.tallies([ONE])[0].events["cancelled"] == 25
    assert only(harness.manager.submit([task(3)])).state is State.WAITING
    run_all(harness, 2)
    assert sorted(harness.runs) == [1, 3]


@pytest.mark.parametrize("mode", ["distributed", "ordered"])
def test_what_waits_makes_looks_no_dearer(mode: str, redis_url: str) -> None:
    """With 100,000 waiting tasks as many commands as with ten, and no more is told."""
    settings = Settings(redis_url=redis_url, queue_mode=mode)
    manager = open_task_manager(settings, {ONE: TypeLimits(max_load=1_000_000, input_ttl_s=600)})
    client = connect(redis_url)
    manager.submit([task(n) for n in range(10)])
    few = [cost(client, look) for look in looks(manager)]
    for start in range(0, 100_000, 5_000):
        manager.submit([task(n) for n in range(start, start + 5_000)])
    assert manager.load([ONE])[0].waiting == 100_000
    many = [cost(client, look) for look in looks(manager)]
    client.close()
    manager.close()
    for (calls, told), (calls_of_ten, told_of_ten) in zip(many, few, strict=True):
        assert calls <= calls_of_ten + 20, "the search for a place takes one more where it doubles"
        assert told == told_of_ten


def looks(manager: TaskManager) -> list[Callable[[], Page]]:
    """Pages of waiting tasks: the first, the next, and one that seeks what is not there."""
    first = manager.listed([ONE], State.WAITING, limit=3)
    return [
        lambda: manager.listed([ONE], State.WAITING, limit=3),
        lambda: manager.listed([ONE], State.WAITING, limit=3, after=first.end),
        lambda: manager.listed([ONE], State.WAITING, prefix="0" * 9),
    ]


def test_a_page_looks_at_a_bounded_number(redis_url: str) -> None:
    """A search that has found nothing yet goes on with the next page."""
    settings = Settings(redis_url=redis_url, queue_mode="ordered")
    manager = open_task_manager(settings, {ONE: TypeLimits(max_load=1_000_000)})
    for start in range(0, 1_500, 500):
        manager.submit([task(n) for n in range(start, start + 500)])
    sought = task(1_200).id
    page = manager.listed([ONE], State.WAITING, prefix=sought)
    assert page.tasks == []
    page = manager.listed([ONE], State.WAITING, prefix=sought, after=page.end)
    assert (ids(page), page.end) == ([sought], None)
    manager.close()


def test_lists_of_all_states_tell_of_some_that_wait(redis_url: str) -> None:
    """Of a hundred thousand those whose turn is next."""
    settings = Settings(redis_url=redis_url, queue_mode="ordered")
    manager = open_task_manager(settings, {ONE: TypeLimits(max_load=1_000_000)})
    for start in range(0, 1_000, 100):
        manager.submit([task(n) for n in range(start, start + 100)])
    page = manager.listed([ONE], limit=200)
    assert {*ids(page)} == {task(n).id for n in range(50)}
    assert page.end is None
    manager.close()


def cost(client: redis.Redis, look: Callable[[], Page]) -> tuple[int, int]:
    """Commands that one look makes in the server, and how many tasks it tells of."""
    look()  # the script is known now
    client.config_resetstat()
    told = len(look().tasks)
    stats = client.info("commandstats")
    return sum(each["calls"] for name, each in stats.items() if "config" not in name), told
