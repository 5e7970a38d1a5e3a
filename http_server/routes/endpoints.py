"""Where inputs are submitted: the endpoints of the types, and the root where that is set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings
from doneyet.task_types import Registry, TaskType

ROOT = "/"


def submit_paths(registry: Registry, settings: Settings) -> Mapping[str, Sequence[TaskType]]:
    """The task types of each path, its default first.

    Raises:
        SettingError: `root_type` names no task type.
    """
    if not settings.root_type:
        return registry.endpoints
    if settings.root_type not in registry.types:
        raise SettingError(
            f"{env_name('root_type')}: there is no task type {settings.root_type!r}; there are: "
            f"{', '.join(registry.types)}"
        )
    return {**registry.endpoints, ROOT: [registry.types[settings.root_type]]}
