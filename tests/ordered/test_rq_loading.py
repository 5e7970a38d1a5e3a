"""A task type that cannot be loaded, in the ordered discipline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from settings import Settings
from task_manager.interface import State, Status, Task
from task_manager.ordered import Ordered
from tasks import load_registry
from tests.helpers import wait_until


@pytest.mark.parametrize("when", ["at-start", "at-first-claim"])
def test_a_worker_that_cannot_load_ends_and_its_task_waits(
    redis_url: str, tmp_path: Path, when: str
) -> None:
    """It says why in one line and exits with 1; a worker that can load it answers the task, of
    which that is the first attempt."""
    settings = Settings(
        redis_url=redis_url,
        discipline="ordered",
        tasks="tests.worker.broken_tasks",
        load_models=when,
        processes=1,
    )
    broken_while = tmp_path / "broken"
    broken_while.touch()
    environment = {
        **os.environ,
        **settings.to_environment(),
        "BROKEN_WHILE": str(broken_while),
    }
    types = load_registry(settings).types
    manager = Ordered(redis_url, types)
    text = json.dumps({"key": "a"}).encode()
    task = Task(types["broken"].task_id(text), "broken", text)

    def asked() -> Status:
        (status,) = manager.submit([task])
        assert isinstance(status, Status)
        return status

    command = [sys.executable, "-m", "worker"]
    try:
        asked()
        failed = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        assert failed.returncode == 1
        lines = [line for line in failed.stderr.splitlines() if " INFO " not in line]
        assert len(lines) == 1, failed.stderr
        assert lines[0].endswith(
            "task type broken cannot be loaded: OSError: the weights are not there"
        )
        assert asked().state is State.WAITING
        assert manager.load(["broken"])[0].workers == 0
        broken_while.unlink()
        with subprocess.Popen(command, env=environment) as worker:
            try:
                wait_until(lambda: asked().state is State.DONE, description="it is answered")
            finally:
                worker.terminate()
        assert asked().attempts == 1
    finally:
        manager.close()
