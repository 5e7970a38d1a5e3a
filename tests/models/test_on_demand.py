"""A real model leaves memory when nobody asks for it, and the next request brings it back."""

from __future__ import annotations

import subprocess
from pathlib import Path

from doneyet.process_range import Range
from doneyet.settings import Settings
from task_manager.values import Status, Task
from tests.helpers import wait_until
from tests.worker.running_worker import ROOT, Asker, RunningWorker

MODEL = "embedding/minilm"


def mib(worker: RunningWorker) -> float:
    """The resident memory of a worker and its processes."""
    pids = ",".join(map(str, (worker.program.pid, *worker.processes())))
    listed = subprocess.check_output(["ps", "-o", "rss=", "-p", pids], text=True)
    return sum(map(int, listed.split())) / 1024


def embed(asker: Asker, text: str) -> None:
    """Asks until there is a vector."""
    kind = asker.registry.types[MODEL]
    canonical = kind.canonical(kind.Input.model_validate({"text": text}))
    task = Task(kind.task_id(canonical), MODEL, canonical)

    def is_done() -> bool:
        status = asker.manager.submit([task])[0]
        assert isinstance(status, Status), status
        return status.state.terminal

    wait_until(is_done, description="it is embedded", timeout_s=60)


def test_a_model_that_nobody_asks_for_leaves_memory(redis_url: str, tmp_path: Path) -> None:
    """All of it: the worker is as small as before."""
    settings = Settings(
        redis_url=redis_url,
        queue_mode="distributed",
        models=str(ROOT / "models.minilm.toml"),
        types=MODEL,
        processes=Range(0, 2),
    )
    asker = Asker(settings)
    with RunningWorker(settings, tmp_path, module="tests.worker.hurried_worker") as worker:
        worker.wait_until_serving()
        before = mib(worker)
        embed(asker, "The cat sat on the mat.")
        loaded = mib(worker)
        wait_until(lambda: not worker.processes(), description="it goes", timeout_s=120)
        after = mib(worker)
        embed(asker, "Who likes the blue sky?")
        assert loaded > before + 200
        assert after < before + 20
        assert worker.stop() == 0
    asker.close()
