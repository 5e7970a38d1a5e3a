"""One worker process of the ordered discipline; `worker.rq_worker` starts and watches it.

Its name is its only argument, its settings are in the environment. It ends when told to (SIGTERM:
after the task it runs), and when its standard input closes, since then its supervisor is gone.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from settings import Settings
from task_manager import open_asking
from task_manager.ordered_executions import Executions
from task_manager.recall import recaller
from tasks import TaskTypeError
from tasks.loading import NotLoadedError, load_all
from worker.child import EXIT_NOT_LOADED
from worker.logs import set_up_logs
from worker.rq_in_process import InProcessWorker
from worker.rq_job import serve
from worker.served import served_registry

log = logging.getLogger(__name__)


def main(name: str, settings: Settings) -> int:
    """Loads the task types once, then works until told to stop."""
    set_up_logs(settings)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)  # it says every job twice
    types = served_registry(settings).run_by_processes.types
    if settings.load_models == "at-start":
        load_all(types.values())
    executions = Executions(settings.redis_url, types, settings.key_prefix, settings.lease_s)
    worker = InProcessWorker(
        name, types, executions, url=settings.redis_url, lease_s=settings.lease_s
    )
    asking = open_asking(settings, types)
    for task_type in types.values():
        task_type.recall_answer = recaller(asking)
    serve(types.values(), worker.show_progress)
    threading.Thread(target=_end_with_supervisor, name="supervisor-watch", daemon=True).start()
    log.info("worker %s serves %s", name, ", ".join(types))
    worker.work(logging_level="WARNING")
    executions.close()
    asking.close()
    return 0


def _end_with_supervisor() -> None:
    os.read(sys.stdin.fileno(), 1)  # not through sys.stdin: its lock would outlive this thread
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], Settings.from_environment()))
    except (TaskTypeError, NotLoadedError) as error:
        log.error("%s", error)
        sys.exit(EXIT_NOT_LOADED)
