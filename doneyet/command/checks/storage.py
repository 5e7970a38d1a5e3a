"""Whether the places of file-to-file jobs can be read and written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from doneyet.command.checks.finding import Finding, broken, ok
from doneyet.settings import Settings

_PROBE = "doneyet-check"
"""A file that is looked for, and not there."""


def look_at_storage(settings: Settings) -> Iterator[Finding]:
    """A row for each place."""
    from doneyet.task_types.batch.storage.errors import StorageError
    from doneyet.task_types.batch.storage.files import Files
    from doneyet.task_types.batch.storage.places import Places
    from doneyet.task_types.file_permissions import why_unreadable

    try:
        places = Places.parse(settings.storage)
    except ValueError:
        return  # the task types have said it
    files = Files(places, gdrive_credentials=settings.gdrive_credentials)
    for name in filter(None, map(str.strip, settings.storage.split(","))):
        what, probe = f"storage {name}", f"{name.rstrip('/')}/{_PROBE}"
        try:
            if "://" not in name and (said := why_unreadable(Path(name))):
                yield broken(what, said)
                continue
            files.version(probe)
            files.check_writable(probe)
            yield ok(what, "can be read and written")
        except (StorageError, ImportError, ValueError) as error:
            yield broken(what, str(error))
