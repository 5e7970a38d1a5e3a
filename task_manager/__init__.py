"""Where tasks wait: the TaskManager interface, its disciplines, keys, Lua scripts."""

from __future__ import annotations

from collections.abc import Mapping

from settings import SettingError, Settings
from task_manager.interface import Limits, TaskManager


def open_task_manager(settings: Settings, limits: Mapping[str, Limits]) -> TaskManager:
    """The task manager that `settings.discipline` names, for disciplines that have both halves.

    It connects at the first call, not here.

    Args:
        settings: names the discipline and the server.
        limits: what is to be known of each task type, by name; the registry's `types` will do.

    Raises:
        SettingError: the settings contradict each other.
    """
    from task_manager.distributed import DistributedManager
    from task_manager.random import RandomManager

    if settings.discipline == "distributed":
        return DistributedManager(settings.redis_url, limits, settings.key_prefix)
    if settings.discipline == "random":
        try:
            return RandomManager(settings.redis_url, limits, settings.key_prefix, settings.input_db)
        except ValueError as error:
            raise SettingError(str(error)) from error
    raise SettingError(f"the {settings.discipline} discipline has no worker half here")
