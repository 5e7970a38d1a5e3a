"""The submitting half of the task manager that the settings name."""

from __future__ import annotations

from doneyet.settings import Settings
from doneyet.task_types import Registry
from task_manager import open_submitter
from task_manager.interface import TaskSubmitter


def open_manager(settings: Settings, registry: Registry) -> TaskSubmitter:
    """The manager of `settings.queue_mode`; the synchronous one has its models loaded.

    Raises:
        SettingError: the settings contradict each other.
    """
    if settings.queue_mode == "synchronous":
        from http_server.synchronous.engine import Engine
        from task_manager.result_lookup import recaller
        from task_manager.synchronous import Synchronous

        engine = Engine(settings, registry)
        manager = Synchronous(
            registry.types,
            engine.run,
            stop=engine.stop,
            close=engine.close,
            grace_s=settings.grace_s,
        )
        engine.recall = recaller(manager)
        return manager
    return open_submitter(settings, registry.limits)
