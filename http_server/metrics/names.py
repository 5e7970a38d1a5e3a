"""How metrics are called: `namespace_subsystem_name`, as Prometheus' client libraries do it."""

from __future__ import annotations

import re

from doneyet.setting_values import SettingError, env_name
from doneyet.settings import Settings

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def metric_prefix(settings: Settings) -> str:
    """What the names of all metrics of doneyet begin with.

    Raises:
        SettingError: Prometheus allows no such name.
    """
    parts = []
    for setting in ("metrics_namespace", "metrics_subsystem"):
        part = getattr(settings, setting)
        if part and not _NAME.fullmatch(part):
            raise SettingError(
                f"{env_name(setting)} must be letters, digits and underscores, the first no "
                f"digit, not {part!r}"
            )
        parts += [part] if part else []
    return "".join(f"{part}_" for part in parts)
