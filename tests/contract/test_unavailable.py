"""What every Redis queue mode does while its server is away."""

from __future__ import annotations

import pytest

from doneyet.local.embedded_redis import EmbeddedRedis
from task_manager.errors import UnavailableError
from task_manager.values import State
from tests.contract.conftest import QUEUE_MODES
from tests.contract.harness import ONE, OTHER, TypeLimits, only, task
from tests.stopwatch import Stopwatch


@pytest.fixture(params=[name for name in QUEUE_MODES if name != "synchronous"])
def redis_queue_mode(request: pytest.FixtureRequest) -> str:
    """The name of a queue mode whose promises.uses_redis is true."""
    return str(request.param)


def test_away_is_said_within_two_seconds_and_healed(redis_queue_mode: str) -> None:
    """Every call raises UnavailableError within 2 s; when the server is back, all works again."""
    with EmbeddedRedis() as server:
        limits = {ONE: TypeLimits(), OTHER: TypeLimits()}
        harness = QUEUE_MODES[redis_queue_mode](server.url, limits)
        manager = harness.manager
        manager.submit([task(1)])
        server.kill()
        for call in (
            lambda: manager.submit([task(1)]),
            lambda: manager.status(ONE, task(1).id),
            lambda: manager.cancel(ONE, task(1).id),
            lambda: manager.load([ONE]),
            manager.ping,
        ):
            watch = Stopwatch()
            with pytest.raises(UnavailableError):
                call()
            assert watch.within_s(2), watch
        server.start()
        manager.ping()
        assert only(manager.submit([task(1)])).state is State.WAITING
        assert harness.work_once() == [1]
        harness.close()
