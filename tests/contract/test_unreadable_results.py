"""What is stored as a result and is none counts for nothing: it is dropped, and the task runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from task_manager.errors import AlreadyTerminalError
from task_manager.redis.manager import RedisManager
from task_manager.values import State, Status
from tests.contract.harness import ONE, Harness, only, task
from tests.helpers import connect

Spoil = Callable[[int], None]

VALUES = {
    "garbage": b"\x80\x04\x95garbage",
    "empty": b"",
    "another state": b"sleeping 1 1 1 1 1\n{}",
    "a state of unfinished tasks": b"running w 1 1 1 1",
    "too few times": b"done 1 1\n{}",
    "a body that is no object": b"done 1 1 1 1 9999999999999\nnothing",
    "a body that was cut off": b'failed 1 1 1 1 9999999999999\n{"error": {"code":',
    "no body": b"done 1 1 1 1 9999999999999\n",
}


@pytest.fixture
def spoil(harness: Harness, redis_url: str) -> Iterator[Callable[[int, bytes | None], None]]:
    """Puts a value in the place of a task's result; None stands for another type of key."""
    manager = harness.manager
    assert isinstance(manager, RedisManager)
    client = connect(redis_url)

    def put(n: int, value: bytes | None) -> None:
        key = manager._keys.result(ONE, task(n).id)
        client.delete(key)
        if value is None:
            client.rpush(key, "a list")
        else:
            client.set(key, value)
        client.expire(key, 600)

    yield put
    client.close()


@pytest.fixture
def queue_mode(request: pytest.FixtureRequest) -> str:
    """Every queue mode with a Redis; the other one has no stored results."""
    return str(request.param)


modes = pytest.mark.parametrize(
    "queue_mode", ["random", "distributed", "ordered", "rq"], indirect=True
)
values = pytest.mark.parametrize("value", [*VALUES.values(), None], ids=[*VALUES, "a list"])


@modes
@values
def test_submit(
    harness: Harness,
    spoil: Callable[[int, bytes | None], None],
    caplog: pytest.LogCaptureFixture,
    value: bytes | None,
) -> None:
    """The task waits and is answered; the others of its array are as they were."""
    harness.manager.submit([task(1)])
    harness.work_once()
    spoil(2, value)
    with caplog.at_level(logging.WARNING):
        told = harness.manager.submit([task(1), task(2), task(3)])
    states = [each.state for each in told if isinstance(each, Status)]
    assert states == [State.DONE, State.WAITING, State.WAITING]
    assert caplog.text.count("cannot be read") == 1
    for _ in range(2):
        harness.work_once()
    assert sorted(harness.runs) == [1, 2, 3]
    assert only(harness.manager.submit([task(2)])).body == b'{"n": 2, "answer": 4}'
    assert caplog.text.count("cannot be read") == 1


@modes
@values
def test_status(
    harness: Harness, spoil: Callable[[int, bytes | None], None], value: bytes | None
) -> None:
    """There is no such task, or it is what it is without that value."""
    spoil(2, value)
    assert harness.manager.status(ONE, task(2).id) is None
    harness.manager.submit([task(3)])
    spoil(3, value)
    status = harness.manager.status(ONE, task(3).id)
    assert status is not None
    assert status.state is State.WAITING
    spoil(2, value)
    unreadable, readable = harness.manager.statuses(ONE, [task(2).id, task(3).id])
    assert unreadable is None
    assert readable is not None


@modes
@values
def test_cancel(
    harness: Harness, spoil: Callable[[int, bytes | None], None], value: bytes | None
) -> None:
    """There is nothing to cancel, or what waits is cancelled; it is not finished."""
    spoil(2, value)
    assert harness.manager.cancel(ONE, task(2).id) is None
    harness.manager.submit([task(3)])
    spoil(3, value)
    status = harness.manager.cancel(ONE, task(3).id)
    assert status is not None
    assert status.state is State.CANCELLED
    with pytest.raises(AlreadyTerminalError):
        harness.manager.cancel(ONE, task(3).id)


@modes
def test_progress(harness: Harness, redis_url: str) -> None:
    """A report of progress that cannot be read is none; the task runs on."""
    manager = harness.manager
    assert isinstance(manager, RedisManager)
    harness.manager.submit([task(2)])
    if manager.promises.claims:
        manager.renew({"worker": [ONE]}, lease_s=10)
        manager.claim("worker", [ONE], limit=1)
    else:
        manager.begin("worker", ONE, task(2).id)  # type: ignore[attr-defined]
    with connect(redis_url) as client:
        key = manager._keys.progress(ONE)
        for value in (b"half of it", b"\xff\xfe"):
            client.hset(key, task(2).id, value)
            client.expire(key, 600)
            status = only(harness.manager.submit([task(2)]))
            assert (status.state, status.progress) == (State.RUNNING, None)
