"""`python -m deploy.health` and `deploy/extras.py`, without a container."""

from __future__ import annotations

import socket

import pytest

from deploy.extras import main as extras
from deploy.health import main, program_of
from doneyet.settings import Settings
from doneyet.task_types import load_registry
from task_manager import open_task_manager
from task_manager.owners import new_owner
from tests.helpers import wait_until

WORKER = ["tini", "--", "python", "-m", "worker"]
SERVER = ["python", "-m", "http_server", "--port"]


@pytest.mark.parametrize("queue_mode", ["random", "distributed"])
def test_worker_is_healthy_while_it_holds_a_lease(
    redis_url: str, queue_mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own lease: another machine's says nothing about this one."""
    settings = Settings(redis_url=redis_url, queue_mode=queue_mode)
    manager = open_task_manager(settings, load_registry(settings).types)
    command = [*WORKER, "--queue-mode", queue_mode, "--redis-url", redis_url]
    owner = new_owner(1)
    manager.renew({"elsewhere-1-abc": ["factorization"]}, 15)
    assert main(command) == 1
    assert "no worker process" in capsys.readouterr().out
    manager.renew({owner: ["factorization"]}, 15)
    assert main(command) == 0
    manager.renew({owner: ["factorization"]}, 0.001)
    wait_until(lambda: main(command) == 1, description="the lease is over")
    manager.close()


def test_worker_is_not_healthy_without_redis(capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, and does not fail with a stack trace."""
    assert main([*WORKER, "--redis-url", "redis://127.0.0.1:1/0"]) == 1
    assert "is away" in capsys.readouterr().out


def test_server_that_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """The port is the one on the command line of process 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert main([*SERVER, str(taken.getsockname()[1])]) == 1
    assert "does not answer" in capsys.readouterr().out


def test_other_programs_have_no_health() -> None:
    """A container that runs something else is told so."""
    with pytest.raises(SystemExit, match="no program of doneyet: sleep infinity"):
        program_of(["sleep", "infinity"])


def test_extras_are_resolved(capsys: pytest.CaptureFixture[str]) -> None:
    """What every installation needs comes along, an extra of the project's own stands for its
    requirements, and an unknown one is refused."""
    assert extras("factorization, regression") == 0
    printed = capsys.readouterr().out.split("\n")
    for package in ("click", "python-flint", "redis[hiredis]", "numpy"):
        assert any(line.startswith(package) for line in printed), package
    assert not any(line.startswith("doneyet") for line in printed)
    assert extras("nonsense") == 2
    assert "no extra 'nonsense'" in capsys.readouterr().err
