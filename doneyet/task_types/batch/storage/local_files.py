"""Files in local folders: never outside of them, never half-written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from doneyet.task_types.batch.storage.errors import ChangedError, StorageError

TEMPORARY = re.compile(r"\.doneyet-[0-9a-f]{16}\.part")
"""What files are called that are being written; they are marked, too (`_MARK`)."""
STALE_AFTER_S = 3600.0
"""After this, a temporary file that nobody writes to is what a killed process left."""
_COPY_BYTES = 1 << 20
_MARK = stat.S_ISVTX
"""Means nothing for files on Linux. It is taken off a file that is complete, so that a file which
only has such a name is never removed."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalFiles:
    """Files below some folders. Links may lead anywhere inside these folders, not out of them.

    All methods raise `OSError`, and `StorageError` where a link leads out. Each resolves links
    first, then walks the folders without following any, so that one put there meanwhile is refused.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots

    def is_transient(self, error: Exception) -> bool:
        """Only where somebody wrote to the file; a disk does not recover by being asked again."""
        return isinstance(error, ChangedError)

    def size(self, path: str) -> int | None:
        """Its size in bytes; None where there is no such file."""
        try:
            with self._reading(path) as file:
                return os.fstat(file).st_size
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def version(self, path: str) -> str | None:
        """What is another text once the file was written anew; None where there is no such file."""
        found = self._stat(path)
        return _version_of(found) if found and stat.S_ISREG(found.st_mode) else None

    def same(self, one: str, other: str) -> bool:
        """Whether two paths lead to one file, by whatever links and however it is spelt."""
        if self._real(one) == self._real(other):
            return True
        first, second = self._stat(one), self._stat(other)
        return first is not None and second is not None and os.path.samestat(first, second)

    def get(self, path: str, into: Path) -> str:
        """Copies the file to `into`, and tells its version."""
        with (
            self._reading(path) as opened,
            open(opened, "rb", closefd=False) as file,
            open(into, "wb") as copy,
        ):
            before = _version_of(os.fstat(opened))
            shutil.copyfileobj(file, copy, _COPY_BYTES)
            if _version_of(os.fstat(opened)) != before:
                raise ChangedError(f"{path} changed while it was read")
            return before

    def put(self, source: Path, path: str, spared: str | None = None) -> None:
        """Makes the file a copy of `source`: its old content stays whole until the new one is.

        Where it has become one file with the one at `spared`, it is left alone. That must be a
        local one, or of another kind.
        """
        with self._folder(path, make=True) as (folder, name):
            _sweep(folder)
            temporary = _temporary_name()
            try:
                _copy(source, folder, temporary, _mode(folder, name))
                if spared is not None and self.same(spared, path):
                    raise StorageError(f"it has become one file with {spared!r}")
                _mode(folder, name)  # whatever it has become meanwhile is no pipe or device
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            with contextlib.suppress(OSError):  # not every file system can
                os.fsync(folder)

    def check_writable(self, path: str) -> None:
        """Writes and removes an empty file where the file, or its first missing folder, goes."""
        above = False
        while True:
            try:
                with self._folder(path, make=False) as (folder, name):
                    if not above:
                        _mode(folder, name)
                    temporary = _temporary_name()
                    os.close(_create(folder, temporary, 0o600))
                    os.unlink(temporary, dir_fd=folder)
                    return
            except FileNotFoundError:
                path, above = os.path.dirname(path), True  # noqa: PTH120
                if path in self._roots:
                    raise

    def _stat(self, path: str) -> os.stat_result | None:
        """What is there, which need not be readable; None where nothing is."""
        try:
            with self._folder(path, make=False) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

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
                    raise StorageError(f"{path!r} is not a regular file; name one that is")
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


def _copy(source: Path, folder: int, name: str, mode: int | None) -> None:
    """`source` as a new file called `name`, safe on the disk when this returns."""
    with open(source, "rb") as old, open(_create(folder, name, 0o666 | _MARK), "wb") as new:
        shutil.copyfileobj(old, new, _COPY_BYTES)
        new.flush()
        usual = stat.S_IMODE(os.fstat(new.fileno()).st_mode)  # less the process' umask
        with contextlib.suppress(PermissionError):  # a file system without modes
            os.fchmod(new.fileno(), (usual if mode is None else mode) & ~_MARK)
        os.fsync(new.fileno())


def _create(folder: int, name: str, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, mode, dir_fd=folder)


def _mode(folder: int, name: str) -> int | None:
    """Who may do what with the file that is to be replaced; None where there is none.

    Raises:
        StorageError: it is something else than a file, which would be lost.
    """
    try:
        old = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(old):
        raise IsADirectoryError(21, "Is a directory", name)
    if not stat.S_ISREG(old):
        raise StorageError(
            f"{name!r} is not a regular file; name one that is, or that is not there"
        )
    return stat.S_IMODE(old)


def _temporary_name() -> str:
    return f".doneyet-{secrets.token_hex(8)}.part"


def _version_of(found: os.stat_result) -> str:
    """A hash of size, times and inode: in-place changes, replacements, and old times set back."""
    known = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return hashlib.blake2b(repr(known).encode(), digest_size=12).hexdigest()


def _sweep(folder: int) -> None:
    """Removes what killed processes left in the folder."""
    for name in filter(TEMPORARY.fullmatch, os.listdir(folder)):
        with contextlib.suppress(OSError):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            unfinished = stat.S_ISREG(found.st_mode) and found.st_mode & _MARK
            if unfinished and found.st_mtime < time.time() - STALE_AFTER_S:
                os.unlink(name, dir_fd=folder)
