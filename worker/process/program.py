"""One worker process from its start to its end.

Its supervisor starts it, tells it over a pipe when to serve and when to drain, and reads its
status board. Settings come by the environment.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from doneyet.cycle_search import no_cycle_search
from doneyet.logs import set_up_logs
from doneyet.process_tree import ignore_signals, kill_own_group_after, kill_own_remains
from doneyet.settings import Settings
from doneyet.task_types import Registry, TaskTypeError
from doneyet.task_types.context import Host
from doneyet.task_types.loading import NotLoadedError, load_all
from doneyet.tracing import open_tracing
from task_manager import open_task_manager
from task_manager.interface import TaskManager
from task_manager.result_lookup import recaller
from worker import exit_codes
from worker.device_lock import DeviceLock
from worker.end_process import end_process
from worker.process.batch_queue import BatchQueue
from worker.process.claim_loop import ClaimLoop
from worker.process.progress import ProgressReports
from worker.process.runner import Runner
from worker.status_board import StatusBoard
from worker.type_selection import served_registry

if TYPE_CHECKING:
    from worker.process.batch_spans import BatchSpans

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.001
"""While a handler computes in Python, the other thread gets its turn after this long."""


def run(control_fd: int, board_fd: int) -> NoReturn:
    """Serves until the supervisor says stop or is gone, and ends this process."""
    board = StatusBoard(board_fd)
    try:
        end_process(_serve(control_fd, board))
    except (TaskTypeError, NotLoadedError) as error:
        log.error("%s", error)
        board.tell_end(exit_codes.NOT_LOADED)
        end_process(exit_codes.NOT_LOADED)


def _serve(control_fd: int, board: StatusBoard) -> int:
    """Loads the models, then works; the exit code."""
    # The supervisor decides, and uses the pipe.
    ignore_signals(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    settings = Settings.from_environment()
    set_up_logs(settings, beside_handlers=True)
    with no_cycle_search():
        registry = served_registry(settings).run_by_processes
    if settings.load_models == "at-start":
        load_all(registry.types.values())
    board.set_ready()
    control = _Control(control_fd, settings.grace_s, board)
    if (told := control.told_to_serve()) is None:
        return 0
    owner, suspects_in_s = told
    with no_cycle_search():
        manager = open_task_manager(settings, registry.types)
    _work(
        settings,
        registry,
        manager,
        board=board,
        owner=owner,
        suspects_in_s=suspects_in_s,
        control=control,
    )
    manager.close()
    control.end()
    return 0


def _work(
    settings: Settings,
    registry: Registry,
    manager: TaskManager,
    *,
    board: StatusBoard,
    owner: str,
    suspects_in_s: float,
    control: _Control,
) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    queue = BatchQueue()
    progress = ProgressReports(queue.wake)
    claim_loop = ClaimLoop(
        manager,
        owner,
        registry.types,
        queue,
        progress,
        in_order=manager.promises.in_turn,
        board=board,
        some_wait=lambda: any(
            load.waiting for load in manager.load(manager.reachable(list(registry.types)))
        ),
        place=settings.redis_place,
        lease_s=settings.lease_s,
        suspects_in_s=suspects_in_s,
    )
    lock = DeviceLock(manager, settings.lock, settings.lease_s) if settings.lock else None
    control.on_drain(queue)
    _start_thread("claim-loop", claim_loop.run, board)
    host = Host(progress, recaller(manager))
    spans = _open_spans(settings, owner)
    Runner(queue, board, owner=owner, host=host, lock=lock, spans=spans).run()
    if spans is not None:
        spans.close()


def _open_spans(settings: Settings, owner: str) -> BatchSpans | None:
    """None where nobody traces, without a look at what is needed for it."""
    tracing = open_tracing(settings, "doneyet-worker")
    if tracing is None:
        return None
    from task_manager.redis.trace_links import TraceLinks
    from worker.process.batch_spans import BatchSpans

    return BatchSpans(tracing, TraceLinks(settings.redis_url, settings.key_prefix), owner)


class _Control:
    """What the supervisor says: `serve OWNER SUSPECTS_IN_S`, `drain`; the pipe's end is its own."""

    def __init__(self, fd: int, grace_s: float, board: StatusBoard) -> None:
        self._lines = os.fdopen(fd, "r")
        self._grace_s, self._board = grace_s, board
        self._killer: subprocess.Popen[bytes] | None = None
        self._is_alone = False

    def told_to_serve(self) -> tuple[str, float] | None:
        """Waits for the name to serve under, and how many seconds suspects are to come last.

        None when it is to end before that.
        """
        words = self._lines.readline().split()
        return (words[1], float(words[2])) if words[:1] == ["serve"] else None

    def on_drain(self, queue: BatchQueue) -> None:
        """From now on, stops the queue of batches when the supervisor says so, or is gone."""

        def listen() -> None:
            with self._lines:
                told = self._lines.readline()
                self._is_alone = not told  # known before anything ends because of it
                queue.stopping = True
                queue.wake()
                self._lines.read()  # returns when the supervisor is gone
                self._is_alone = True
            if not told:
                log.warning("the supervisor is gone; this worker process finishes what it runs")
            # Nobody else would end a handler that takes too long, or a Redis that is away.
            self._killer = kill_own_group_after(max(0.1, self._grace_s))
            signal.setitimer(signal.ITIMER_REAL, max(0.1, self._grace_s))

        _start_thread("control", listen, self._board)

    def end(self) -> None:
        """Nothing runs any more: where the supervisor is gone, what was started here ends, too."""
        if self._killer is not None:
            self._killer.kill()
        if self._is_alone:
            kill_own_remains()


def _start_thread(name: str, target: Callable[[], None], board: StatusBoard) -> None:
    """A thread without which the process is of no use: if it fails, the process ends."""

    def guarded() -> None:
        try:
            target()
        except BaseException:
            log.exception("the %s thread failed; this worker process ends", name)
            board.tell_end(exit_codes.BROKEN)
            os._exit(exit_codes.BROKEN)

    threading.Thread(target=guarded, name=name, daemon=True).start()
