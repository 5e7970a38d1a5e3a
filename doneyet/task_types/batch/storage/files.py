"""Reading and writing whole files, wherever they are: the one class that jobs use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from doneyet.task_types.batch.storage.errors import FULL, StorageError, failed, said, system_reason
from doneyet.task_types.batch.storage.local_files import LocalFiles
from doneyet.task_types.batch.storage.patience import patiently
from doneyet.task_types.batch.storage.places import Places, split_url
from doneyet.task_types.batch.storage.remote_files import RemoteFiles, chain
from doneyet.task_types.batch.storage.scratch import ScratchError, scratch_error
from doneyet.task_types.job import StoppedError

__all__ = ["Files", "Info", "StorageError"]

Value = TypeVar("Value")


class Info(NamedTuple):
    """What is known about a file."""

    size: int
    """Bytes."""


class _Kind(Protocol):
    """Files of one kind; `path` is what follows the kind in a location."""

    def is_transient(self, error: Exception) -> bool: ...
    def size(self, path: str) -> int | None: ...
    def version(self, path: str) -> str | None: ...
    def same(self, one: str, other: str) -> bool: ...
    def get(self, path: str, into: Path) -> str: ...
    def put(self, source: Path, path: str) -> None: ...
    def check_writable(self, path: str) -> None: ...


class Files:
    """The files that `places` allow; a location is what `Places.resolve` gave. Safe in threads.

    Errors that pass are tried again for about half a minute.

    Args:
        places: what is allowed; checked again here, since whoever asked may allow more.
        gdrive_credentials: the file with Google Drive's credentials, as the setting has it.
        sleep: waits between tries; what it raises ends the trying.
    """

    def __init__(
        self,
        places: Places,
        *,
        gdrive_credentials: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._places = places
        self._gdrive_credentials = gdrive_credentials
        self._sleep = sleep
        self._remote: dict[str, RemoteFiles] = {}
        self._connecting = threading.Lock()

    def fetch(self, location: str, into: Path) -> str:
        """Copies or downloads the file to `into`, a scratch file; its version, as `version` has it.

        Raises:
            ScratchError: `into` cannot be written.
            StorageError: there is no such file, or it cannot be read.
        """

        def act(kind: _Kind, path: str) -> str:
            try:
                return kind.get(path, into)
            except OSError as error:
                if full := _full(error):  # reading fills no disk
                    raise scratch_error(full) from error
                raise

        return self._tried("read", location, act)

    def store(self, source: Path, location: str, *, spared: str | None = None) -> None:
        """Replaces the file by a copy of `source`; until that is done the old one is there, whole.

        Args:
            source: what it becomes a copy of.
            location: the file.
            spared: another location, which must not be that of the same file by now.

        Raises:
            StorageError: it cannot be written; nothing has changed.
        """
        if spared is not None and self.same(spared, location):
            raise failed("write", location, f"it has become one file with {spared!r}")

        def act(kind: _Kind, path: str) -> None:
            if isinstance(kind, LocalFiles):  # where links can be made meanwhile
                kind.put(source, path, spared)
            else:
                kind.put(source, path)

        self._tried("write", location, act)

    def version(self, location: str) -> str | None:
        """A text that is another one once somebody wrote the file; None where there is no file.

        Raises:
            StorageError: it cannot be told.
        """
        return self._tried("look at", location, lambda kind, path: kind.version(path))

    def same(self, one: str, other: str) -> bool:
        """Whether two locations are those of one file: by links, by their case, by two folders.

        Raises:
            StorageError: it cannot be told.
        """
        scheme, path = split_url(other)
        if split_url(one)[0] != scheme:
            return False
        return self._tried("look at", one, lambda kind, first: kind.same(first, path))

    def check_writable(self, location: str) -> None:
        """Does nothing, as far as anybody can see, where `store` has a chance.

        Raises:
            StorageError: the file could not be written.
        """
        self._tried("write", location, lambda kind, path: kind.check_writable(path))

    def describe(self, location: str) -> Info | None:
        """What is known about the file; None where there is none.

        Raises:
            StorageError: it cannot be told.
        """
        size = self._tried("look at", location, lambda kind, path: kind.size(path))
        return None if size is None else Info(size)

    def _tried(self, doing: str, location: str, act: Callable[[_Kind, str], Value]) -> Value:
        try:
            allowed = self._places.resolve(location)
        except ValueError as error:
            raise StorageError(f"this worker refuses it: {error}") from error
        scheme, path = split_url(allowed)
        kind = self._kind(scheme, allowed)
        try:
            return patiently(lambda: act(kind, path), kind.is_transient, sleep=self._sleep)
        except (ScratchError, StoppedError):
            raise
        except StorageError as error:
            raise failed(doing, location, str(error)) from error
        except Exception as error:
            raise failed(doing, location, _reason(kind, error)) from error

    def _kind(self, scheme: str, location: str) -> _Kind:
        if not scheme:
            return LocalFiles([str(place) for place in self._places if not place.scheme])
        with self._connecting:
            if scheme not in self._remote:
                self._remote[scheme] = self._connected(scheme, location)
            return self._remote[scheme]

    def _connected(self, scheme: str, location: str) -> RemoteFiles:
        try:
            if scheme == "s3":
                from doneyet.task_types.batch.storage.s3_files import S3Files

                return S3Files()
            if scheme == "gs":
                from doneyet.task_types.batch.storage.google_cloud_files import GoogleCloudFiles

                return GoogleCloudFiles()
            from doneyet.task_types.batch.storage.google_drive_files import GoogleDriveFiles

            return GoogleDriveFiles(self._gdrive_credentials)
        except ImportError as error:
            raise failed(
                "reach",
                location,
                f"{scheme}:// is not installed on this worker: pip install 'doneyet[{scheme}]' "
                f"({said(error)})",
            ) from error
        except StorageError as error:
            raise failed("reach", location, str(error)) from error
        except Exception as error:
            raise failed("reach", location, said(error)) from error


def _full(error: OSError) -> OSError | None:
    """What `error` came from, where that is a disk without room."""
    for each in chain(error):
        if isinstance(each, OSError) and each.errno in FULL:
            return each
    return None


def _reason(kind: _Kind, error: Exception) -> str:
    if isinstance(kind, RemoteFiles) and (reason := kind.reason(error)):
        return reason
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a folder; name a file"
    if isinstance(error, OSError) and error.errno and not isinstance(kind, RemoteFiles):
        return system_reason(error)
    return said(error)
