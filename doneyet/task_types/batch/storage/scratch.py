"""Files that a job needs while it runs, in the folder for temporary files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from doneyet.task_types.batch.storage.errors import StorageError, said

_OPEN_FILES = Path("/proc/self/fd")


class ScratchError(StorageError):
    """Raised when temporary files cannot be written; says where, and which setting decides it."""


@contextmanager
def scratch_files(count: int) -> Iterator[list[Path]]:
    """Empty files for as long as they are needed. On Linux they have no name on the disk, so that
    a process that is killed leaves none.

    Raises:
        ScratchError: they cannot be made.
    """
    with ExitStack() as kept:
        try:
            if _OPEN_FILES.is_dir():
                files = [kept.enter_context(tempfile.TemporaryFile()) for _ in range(count)]
                paths = [_OPEN_FILES / str(file.fileno()) for file in files]
            else:
                folder = kept.enter_context(tempfile.TemporaryDirectory(prefix="doneyet-batch-"))
                paths = [Path(folder, str(number)) for number in range(count)]
        except OSError as error:
            raise scratch_error(error) from error
        yield paths


def scratch_error(error: OSError) -> ScratchError:
    """`error`, from writing to a scratch file, for people."""
    try:
        folder = tempfile.gettempdir()
    except OSError:  # there is none that could be written
        folder = os.environ.get("TMPDIR", "/tmp")  # noqa: S108
    return ScratchError(
        f"cannot write temporary files to {folder!r}: {error.strerror or said(error)}; free some "
        "space there, or set TMPDIR of the worker to a folder that has more"
    )
