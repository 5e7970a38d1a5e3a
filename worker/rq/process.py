"""One stock RQ worker, which `worker.rq.supervisor` starts: `python -m worker.rq.process NAME FD`.

It ends after the job that it runs when told to (SIGTERM), or when its standard input closes, since
then its supervisor is gone.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from rq import SimpleWorker
from rq.serializers import JSONSerializer
from rq.worker import DequeueStrategy

from doneyet.logs import set_up_logs
from doneyet.process_tree import ignore_signals
from doneyet.settings import Settings
from doneyet.task_types import TaskTypeError
from doneyet.task_types.loading import NotLoadedError, load_all
from task_manager.redis.clients import each_server, open_client
from worker import exit_codes
from worker.end_process import end_process
from worker.rq.job import task_runner
from worker.rq.registration import Registration
from worker.status_board import StatusBoard

log = logging.getLogger(__name__)


def main(name: str) -> None:
    """Loads the task types once, then works until told to stop."""
    ignore_signals(signal.SIGINT, signal.SIGHUP)  # the supervisor decides when it ends
    settings = Settings.from_environment()
    set_up_logs(settings)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)  # it says every job twice
    threading.Thread(target=_end_with_supervisor, name="supervisor-watch", daemon=True).start()
    runner = task_runner()
    if settings.load_models == "at-start":
        load_all(runner.types.values())
    worker = SimpleWorker(
        list(runner.types),
        name=name,
        connection=each_server(open_client(settings.redis_url, protocol=2))[0],
        serializer=JSONSerializer,
    )
    registration = Registration(worker, every_s=settings.lease_s / 3)
    registration.start()
    worker.work(logging_level="WARNING", dequeue_strategy=DequeueStrategy.ROUND_ROBIN)
    registration.end()


def _end_with_supervisor() -> None:
    os.read(sys.stdin.fileno(), 1)  # not through sys.stdin: its lock would outlive this thread
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
        end_process(0)
    except (TaskTypeError, NotLoadedError) as error:
        log.error("%s", error)
        StatusBoard(int(sys.argv[2])).tell_end(exit_codes.NOT_LOADED)
        end_process(exit_codes.NOT_LOADED)
