"""What is told where a part of Redis is away: of the other types, and which are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from task_manager.interface import TaskSubmitter


def reachable(
    manager: TaskSubmitter, type_names: Sequence[str]
) -> tuple[list[str], Mapping[str, list[str]]]:
    """Those of the types that can be asked about, and the member of an answer that names the rest;
    none where there is no rest.

    Raises:
        UnavailableError: none can be asked about.
    """
    names = manager.reachable(type_names)
    missing = sorted({*type_names} - {*names})
    return names, {"unavailable": missing} if missing else {}
