"""What goes wrong with storage, as people are told it."""

from __future__ import annotations

import errno
import re

MOST_DETAIL = 300

HINTS = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some space there, or ask for a larger quota",
    errno.EACCES: "let the worker's user do that, or name another file",
    errno.EPERM: "let the worker's user do that, or name another file",
    errno.EROFS: "name a file on a file system that can be written",
    errno.ENOTDIR: "one of the folders in the name is a file",
    errno.EISDIR: "name a file, not a folder",
    errno.ENAMETOOLONG: "name a file with a shorter name",
    errno.ELOOP: "its symbolic links lead in a circle, or changed meanwhile",
}
"""What to do about errors of the operating system."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a disk says that has no room for more."""


class StorageError(Exception):
    """Raised when a file cannot be read or written, whatever was tried; says where and why."""


class ChangedError(OSError):
    """Raised when a file was replaced by another while it was read; reading again helps."""


def failed(doing: str, location: str, reason: str) -> StorageError:
    """The error for people: `cannot read 's3://bucket/key': access is denied; …`."""
    return StorageError(f"cannot {doing} {location!r}: {reason}")


def said(error: BaseException) -> str:
    """What `error` says: one short line without passwords, tokens or queries of URLs."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    line = re.sub(r"//[^/\s]*@", "//***@", line)
    line = re.sub(r"(://[^\s?\"']*)\?[^\s\"'>]*", r"\1?…", line)
    return line if len(line) <= MOST_DETAIL else line[:MOST_DETAIL] + "…"


def system_reason(error: OSError) -> str:
    """What the operating system refuses, and what to do."""
    hint = HINTS.get(error.errno or 0)
    text = error.strerror or said(error)
    return f"{text}; {hint}" if hint else text
