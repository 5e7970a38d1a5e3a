"""In the rq mode too a Redis that refuses for a while is no bug, and then all is answered.

The server is held to what it promises everywhere. The workers are RQ's: what they lose or end of,
the supervisor and clients that ask again heal.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.fault_tasks import RUNS
from tests.faults.redis.refused_system import Running
from tests.faults.redis.refusing_redis import REFUSALS


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One system for all refusals."""
    runs_file = tmp_path_factory.mktemp("runs") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUNS, str(runs_file))
        system = Running("rq", runs_file)
        yield system
        system.stop()


@pytest.mark.parametrize("error", REFUSALS)
def test_refusals(running: Running, error: str) -> None:
    """503 and not ready meanwhile, then all is answered, by the same supervisor."""
    with running.refusing_with(error):
        running.assert_noticed(error)
