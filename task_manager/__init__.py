"""Where tasks wait: the TaskManager interface, its queue modes, keys, Lua scripts."""

from __future__ import annotations

from collections.abc import Mapping

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from task_manager.interface import TaskManager, TaskSubmitter
from task_manager.values import Limits

_SORTED = ("distributed", "ordered")
"""Queue modes in which every type, coordinated or not, waits in a sorted set of its own."""


def open_task_manager(settings: Settings, limits: Mapping[str, Limits]) -> TaskManager:
    """The task manager that `settings.queue_mode` names, for queue modes that have both halves.

    It connects at the first call, not here.

    Args:
        settings: names the queue mode and the server.
        limits: what is to be known of each task type, by name; the registry's `types` will do.

    Raises:
        SettingError: the settings contradict each other.
    """
    from task_manager.redis.modes.random import RandomManager
    from task_manager.split_queues import check_queue_mode

    check_queue_mode(settings)
    if settings.queue_mode in _SORTED:
        return _sorted(settings, limits)
    if settings.queue_mode == "random":
        try:
            return RandomManager(settings.redis_url, limits, settings.key_prefix, settings.input_db)
        except ValueError as error:
            raise SettingError(str(error)) from error
    raise SettingError(f"the {settings.queue_mode} queue mode has no worker half here")


def open_submitter(settings: Settings, limits: Mapping[str, Limits]) -> TaskSubmitter:
    """The submitting half of the queue mode, for task types of every kind; not of `synchronous`.

    Raises:
        SettingError: the settings contradict each other.
    """
    if settings.queue_mode == "rq":
        from task_manager.redis.modes.rq import RqManager
        from task_manager.split_queues import check_queue_mode

        check_queue_mode(settings)
        main: TaskSubmitter = RqManager(settings.redis_url, limits, settings.key_prefix)
    else:
        main = open_task_manager(settings, limits)
    if settings.queue_mode in _SORTED:
        return main
    elsewhere = {name: each for name, each in limits.items() if each.coordinated}
    if not elsewhere:
        return main
    from task_manager.composite import Routed

    return Routed(main, _sorted(settings, elsewhere), elsewhere)


def open_for_coordinator(settings: Settings, limits: Mapping[str, Limits]) -> TaskManager:
    """Where coordinated task types wait, whatever the queue mode of the others.

    Args:
        settings: name the server.
        limits: as above, of coordinated types only.
    """
    return _sorted(settings, limits)


def _sorted(settings: Settings, limits: Mapping[str, Limits]) -> TaskManager:
    """In a sorted set per type, which any type can be in, whatever the queue mode of the rest."""
    from task_manager.redis.modes.distributed import DistributedManager, DistributedRandomManager
    from task_manager.redis.modes.ordered import OrderedManager

    by_pick = {
        "fair": DistributedManager,
        "oldest": OrderedManager,
        "random": DistributedRandomManager,
    }
    pick = {"ordered": "oldest", "distributed": settings.pick}.get(settings.queue_mode, "fair")
    manager = by_pick[pick]
    if not settings.split_types:
        return manager(settings.redis_url, limits, settings.key_prefix)
    from task_manager.split import Split
    from task_manager.split_queues import split_limits, split_types

    of_queues = split_limits(settings, limits)
    counts = {name: count for name, count in split_types(settings).items() if name in limits}
    return Split(manager(settings.redis_url, of_queues, settings.key_prefix), counts)
