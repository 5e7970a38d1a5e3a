"""What every Redis discipline does while its server is away."""

from __future__ import annotations

import time

import pytest

from doneyet.local.embedded_redis import EmbeddedRedis
from task_manager.errors import UnavailableError
from task_manager.interface import State
from tests.contract.conftest import DISCIPLINES
from tests.contract.harness import ONE, OTHER, TypeLimits, only, task


@pytest.fixture(params=[name for name in DISCIPLINES if name != "synchronous"])
def redis_discipline(request: pytest.FixtureRequest) -> str:
    """The name of a discipline whose promises.uses_redis is true."""
    return str(request.param)


def test_away_is_said_within_two_seconds_and_healed(redis_discipline: str) -> None:
    """Every call raises UnavailableError within 2 s; when the server is back, all works again."""
    with EmbeddedRedis() as server:
        limits = {ONE: TypeLimits(), OTHER: TypeLimits()}
        harness = DISCIPLINES[redis_discipline](server.url, limits)
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
            begun_at = time.monotonic()
            with pytest.raises(UnavailableError):
                call()
            assert time.monotonic() - begun_at < 2
        server.start()
        manager.ping()
        assert only(manager.submit([task(1)])).state is State.WAITING
        assert harness.work_once() == [1]
        harness.close()
