"""A worker's threads in this process, without its supervisor and its processes."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

from doneyet.settings import Settings
from doneyet.task_types import Registry
from doneyet.task_types.context import Host
from task_manager import open_task_manager
from task_manager.owners import new_owner
from task_manager.result_lookup import recaller
from worker.jobs.coordinator import Coordinator
from worker.process.batch_queue import BatchQueue
from worker.process.claim_loop import ClaimLoop
from worker.process.progress import ProgressReports
from worker.process.runner import Runner
from worker.status_board import StatusBoard, make_board_file

LEASE_S = 86_400.0
"""Nobody renews the lease here, and nobody else would take its tasks."""
STOP_WITHIN_S = 10.0
"""How long what runs may take to end; after that its thread is left to itself."""


@contextlib.contextmanager
def working(settings: Settings, registry: Registry) -> Iterator[None]:
    """Runs tasks of `registry` meanwhile."""
    if not registry.types:
        yield
        return
    types = registry.types
    manager, owner, queue = open_task_manager(settings, types), new_owner(os.getpid()), BatchQueue()
    manager.renew({owner: list(types)}, LEASE_S)
    progress = ProgressReports(queue.wake)
    board_fd = make_board_file(max(kind.max_batch_size for kind in types.values()))
    board = StatusBoard(board_fd)
    board.takes_suspects = True
    claim_loop = ClaimLoop(
        manager,
        owner,
        types,
        queue,
        progress,
        in_order=manager.promises.in_turn,
        board=board,
        some_wait=lambda: any(load.waiting for load in manager.load(list(types))),
        place="fakeredis",
        lease_s=LEASE_S,
    )
    runner = Runner(queue, board, owner=owner, host=Host(progress, recaller(manager)))
    threads = [
        threading.Thread(target=run, name=f"doneyet-{name}", daemon=True)
        for name, run in (("claim-loop", claim_loop.run), ("runner", runner.run))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        queue.stopping = True
        queue.wake()
        for thread in threads:
            thread.join(STOP_WITHIN_S)
        if not any(thread.is_alive() for thread in threads):
            manager.close()
            board.close()
            os.close(board_fd)


@contextlib.contextmanager
def coordinating(settings: Settings, registry: Registry) -> Iterator[None]:
    """Runs jobs of `registry` meanwhile."""
    if not registry.jobs:
        yield
        return
    coordinator = Coordinator(settings, registry, registry.jobs)
    coordinator.start()
    try:
        yield
    finally:
        coordinator.stop()
        give_up_s = time.monotonic() + STOP_WITHIN_S
        while not coordinator.over and time.monotonic() < give_up_s:
            time.sleep(0.01)
        coordinator.close()
