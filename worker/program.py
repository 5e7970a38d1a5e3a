"""A worker from its start to its end."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable

from doneyet.cycle_search import no_cycle_search
from doneyet.logs import set_up_logs
from doneyet.service_links import service_links
from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import TaskTypeError
from doneyet.tracing import check_tracing
from task_manager import open_task_manager
from task_manager.errors import MisconfiguredError, TaskManagerError, UnavailableError
from task_manager.interface import TaskManager
from worker.jobs.coordinator import open_coordinator
from worker.supervisor.supervisor import Supervisor
from worker.type_selection import served_registry

log = logging.getLogger("worker")


def run(settings: Settings, clock: Callable[[], float] = time.monotonic) -> int:
    """Serves until told to stop; the exit code is 0 then, 2 where a setting is wrong.

    By `clock`, s, the number of processes is chosen where it is a range.
    """
    set_up_logs(settings)
    log.debug("set by Kubernetes for a Service, and ignored: %s", service_links())
    try:
        if settings.queue_mode == "synchronous":
            raise SettingError("the synchronous queue mode's worker is a thread of the HTTP server")
        check_tracing(settings)
        with no_cycle_search():
            served = served_registry(settings)
        if settings.queue_mode == "rq":
            from worker.rq.supervisor import RqSupervisor

            return _ended(RqSupervisor(settings, served).run())
        with no_cycle_search():
            manager = open_task_manager(settings, served.types)
        _check_redis(manager)
        coordinator = open_coordinator(settings, served)
        try:
            kinds = served.run_by_processes
            return _ended(Supervisor(settings, kinds, manager, coordinator, clock).run())
        finally:
            manager.close()
    except (SettingError, TaskTypeError) as error:
        log.error("%s", error)
        return 2
    except TaskManagerError as error:
        log.error("%s", error)
        return 1


def _ended(exit_code: int) -> int:
    """`exit_code`, which one more signal does not change while Python takes itself down."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return exit_code


def _check_redis(manager: TaskManager) -> None:
    """Refuses a Redis that will never do; one that is away, or refuses for now, may come later."""
    try:
        manager.check()
    except MisconfiguredError:
        raise
    except UnavailableError:
        return  # the supervisor says it
