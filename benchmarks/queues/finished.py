"""Tasks that are finished before they are polled, through a real worker."""

from __future__ import annotations

from benchmarks.queues.stock import fill, left, manager_for, numbered
from benchmarks.servers.start import start_worker, wait_for
from doneyet.settings import Settings


def finish(settings: Settings, type_name: str, numbers: range) -> list[bytes]:
    """Has `numbers` answered by a worker, which is gone afterwards; returns the results' bodies."""
    with manager_for(settings) as (manager, types):
        task_type = types[type_name]
        fill(manager, task_type, numbers)
        worker = start_worker(settings)
        try:
            wait_for(lambda: left(manager, task_type) == 0, worker, "all are answered")
        finally:
            worker.stop()
        statuses = manager.submit(numbered(task_type, numbers))
    return [bytes(getattr(status, "body", None) or b"") for status in statuses]
