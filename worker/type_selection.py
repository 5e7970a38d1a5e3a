"""Which task types a worker serves."""

from __future__ import annotations

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import Registry, load_registry


def served_registry(settings: Settings) -> Registry:
    """All task types, or where `--types` names some, those.

    Raises:
        SettingError: `--types` is given in a queue mode whose workers serve all types.
        TaskTypeError: `--types` names a type that does not exist, or a type is not usable.
    """
    registry = load_registry(settings)
    names = [name.strip() for name in settings.types.split(",") if name.strip()]
    if not names:
        return registry
    if settings.queue_mode == "random":
        raise SettingError(
            "--types needs --distributed: in the random queue mode any worker may pick any task"
        )
    return registry.only(dict.fromkeys(names))
