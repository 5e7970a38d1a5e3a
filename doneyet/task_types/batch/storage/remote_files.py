"""Files in storage that is reached through an fsspec file system."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from doneyet.task_types.batch.storage.errors import ChangedError


class RemoteFiles(ABC):
    """Files of one kind of URL; subclassed per kind. A `path` is a URL without its `scheme://`.

    All methods raise what the libraries raise; `is_transient` and `reason` tell what it means.
    """

    extra: ClassVar[str]
    """What to install: `pip install 'doneyet[EXTRA]'`."""

    def __init__(self) -> None:
        """Connects.

        Raises:
            ImportError: the extra is not installed.
        """
        self.file_system = self.connect()

    @abstractmethod
    def connect(self) -> Any:
        """The fsspec file system, without caches."""

    @abstractmethod
    def is_transient(self, error: Exception) -> bool:
        """Whether it is worth trying again."""

    def reason(self, error: Exception) -> str | None:
        """What `error` means and what to do about it; None where only it knows."""
        return None

    @abstractmethod
    def check_writable(self, path: str) -> None:
        """Raises what writing would raise, without writing anything that could be seen."""

    @abstractmethod
    def put(self, source: Path, path: str) -> None:
        """Uploads `source`; the new content is there when all of it is."""

    def size(self, path: str) -> int | None:
        """Its size in bytes; None where there is no such file."""
        try:
            about = self.about(path)
        except FileNotFoundError as error:
            if self.is_elsewhere(error):
                raise
            return None
        return None if about["type"] == "directory" else int(about["size"])

    def version(self, path: str) -> str | None:
        """What is another text once the file was written anew; None where there is no such file."""
        try:
            about = self.about(path)
        except FileNotFoundError as error:
            if self.is_elsewhere(error):
                raise
            return None
        return None if about["type"] == "directory" else _version_of(about)

    def same(self, one: str, other: str) -> bool:
        """Whether two paths lead to one file."""
        return one == other

    def get(self, path: str, into: Path) -> str:
        """Downloads the file, and tells its version."""
        before = self.about(path)
        if before["type"] == "directory":
            raise IsADirectoryError(path)
        self.download(path, into)
        if into.stat().st_size != before["size"] or self.about(path) != before:
            raise ChangedError(f"{path} changed while it was read")
        return _version_of(before)

    def about(self, path: str) -> dict[str, Any]:
        """What fsspec knows about the file, just asked."""
        self.file_system.invalidate_cache()
        about: dict[str, Any] = self.file_system.info(path)
        return about

    def download(self, path: str, into: Path) -> None:
        """Downloads the file without consistency checks."""
        self.file_system.get_file(path, str(into))

    def is_elsewhere(self, error: FileNotFoundError) -> bool:
        """Whether not only the file, but all that it could be in is missing."""
        return False


def _version_of(about: dict[str, Any]) -> str:
    """A hash of all that is known (size, time, etag, generation, checksum: each has others)."""
    known = "\n".join(f"{name}={about[name]}" for name in sorted(about))
    return hashlib.blake2b(known.encode(), digest_size=12).hexdigest()


def chain(error: BaseException | None) -> list[BaseException]:
    """`error` and what it came from."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
