"""Files in local folders: never outside of them, never half-written."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.storage.errors import StorageError

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".doneyet-", ".part"
STALE_AFTER_S = 3600.0
"""After this, a temporary file that nobody writes to is what a killed process left."""
_COPY_BYTES = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalFiles:
    """Files below some folders. Links may lead anywhere inside these folders, not out of them.

    All methods raise `OSError`, and `StorageError` where a link leads out. Each resolves links
    first, then walks the folders without following any, so that one put there meanwhile is refused.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots

    def is_transient(self, error: Exception) -> bool:
        """False: a disk does not recover by being asked again."""
        return False

    def size(self, path: str) -> int | None:
        """Its size in bytes; None where there is no such file."""
        try:
            with self._reading(path) as file:
                return os.fstat(file).st_size
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def get(self, path: str, into: Path) -> None:
        """Copies the file to `into`."""
        with (
            self._reading(path) as opened,
            open(opened, "rb", closefd=False) as file,
            open(into, "wb") as copy,
        ):
            shutil.copyfileobj(file, copy, _COPY_BYTES)

    def put(self, source: Path, path: str) -> None:
        """Makes the file a copy of `source`: its old content stays whole until the new one is."""
        with self._folder(path, make=True) as (folder, name):
            _sweep(folder)
            temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
            try:
                _copy(source, folder, temporary, _mode(folder, name))
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            with contextlib.suppress(OSError):  # not every file system can
                os.fsync(folder)

    def check_writable(self, path: str) -> None:
        """Writes and removes an empty file where the file, or its first missing folder, goes."""
        if os.path.isdir(path):  # noqa: PTH112
            raise IsADirectoryError(21, "Is a directory", path)
        while True:
            try:
                with self._folder(path, make=False) as (folder, _):
                    temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
                    os.close(_create(folder, temporary, 0o600))
                    os.unlink(temporary, dir_fd=folder)
                    return
            except FileNotFoundError:
                path = os.path.dirname(path)  # noqa: PTH120
                if path in self._roots:
                    raise

    @contextlib.contextmanager
    def _reading(self, path: str) -> Iterator[int]:
        with self._folder(path, make=False) as (folder, name):
            # A pipe that nobody writes to would block for ever.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            file = os.open(name, flags, dir_fd=folder)
            try:
                kind = os.fstat(file).st_mode
                if stat.S_ISDIR(kind):
                    raise IsADirectoryError(21, "Is a directory", path)
                if not stat.S_ISREG(kind):
                    raise StorageError(f"{path!r} is no ordinary file; name one that is")
                yield file
            finally:
                os.close(file)

    @contextlib.contextmanager
    def _folder(self, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """The open folder that the file is in, and its name there."""
        root, *folders, name = self._real(path)
        opened = os.open(root, _FOLDER)
        try:
            for folder in folders:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=opened)
                below = os.open(folder, _FOLDER, dir_fd=opened)
                os.close(opened)
                opened = below
            yield opened, name
        finally:
            os.close(opened)

    def _real(self, path: str) -> tuple[str, ...]:
        """The real root, then what follows it part by part, after all links."""
        real = os.path.realpath(path)
        for root in self._roots:
            real_root = os.path.realpath(root)
            if path.startswith(root.rstrip("/") + "/") and not os.path.isdir(real_root):  # noqa: PTH112
                raise StorageError(
                    f"the folder {root!r}, which DONEYET_STORAGE allows, is not on this machine; "
                    "make it or mount it"
                )
            below = real.removeprefix(real_root.rstrip("/") + "/")
            if below != real:
                return (real_root, *below.split("/"))
        raise StorageError(
            f"a symbolic link leads from {path!r} out of what DONEYET_STORAGE allows; "
            "allow the folder that it leads to as well"
        )


def _copy(source: Path, folder: int, name: str, mode: int) -> None:
    """`source` as a new file called `name`, safe on the disk when this returns."""
    with open(source, "rb") as old, open(_create(folder, name, mode), "wb") as new:
        shutil.copyfileobj(old, new, _COPY_BYTES)
        new.flush()
        os.fsync(new.fileno())


def _create(folder: int, name: str, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, mode, dir_fd=folder)


def _mode(folder: int, name: str) -> int:
    """Who may do what with the file that is replaced; what is usual for a new one."""
    try:
        old = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0o666  # less the process' umask
    if stat.S_ISDIR(old):
        raise IsADirectoryError(21, "Is a directory", name)
    return stat.S_IMODE(old)


def _sweep(folder: int) -> None:
    """Removes what killed processes left in the folder."""
    for name in os.listdir(folder):
        if name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX):
            with contextlib.suppress(OSError):
                if os.stat(name, dir_fd=folder).st_mtime < time.time() - STALE_AFTER_S:
                    os.unlink(name, dir_fd=folder)
