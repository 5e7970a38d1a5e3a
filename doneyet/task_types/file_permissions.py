"""Why this process may not read a file: who it is, what it lacks, and the command that helps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_AS_EFFECTIVE_USER = os.access in os.supports_effective_ids


def why_unreadable(path: Path) -> str | None:
    """Says what keeps this process from reading the file or folder `path`; None: nothing does.

    Of permissions only; a path that does not exist is none of their business.
    """
    for part, needed, helps in _steps(path.absolute()):
        if not part.exists():
            return None
        if not os.access(part, needed, effective_ids=_AS_EFFECTIVE_USER):
            there = part.stat()
            return (
                f"this process (user id {os.geteuid()}) may not read {str(part)!r} (mode "
                f"{there.st_mode & 0o7777:04o}, of user id {there.st_uid}): chmod {helps} it"
            )
    return None


def _steps(path: Path) -> Iterator[tuple[Path, int, str]]:
    """Each folder on the way and `path` itself, the right that it takes, and chmod's word for it.

    In this order, so that whether the next one exists can be told.
    """
    for folder in reversed(path.parents):
        yield folder, os.X_OK, "a+x"
    if path.is_dir():
        yield path, os.R_OK | os.X_OK, "a+rx"
    else:
        yield path, os.R_OK, "a+r"
