"""Which files a request may name: the places that the setting `storage` allows, and names in them.

Only text is looked at here, so that the HTTP server, which has no storage libraries, can refuse a
name at once. What a folder's symbolic links do to a name is looked at where the file is opened.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

KINDS = {
    "s3": re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII),
    "gs": re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", re.ASCII),
    "gdrive": re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII),
}
"""The kinds of URL, and what a bucket (for Google Drive: a folder's id) looks like."""

MOST_BYTES = 1024
"""The longest key in S3 and Google Cloud Storage."""
MOST_PART_BYTES = 255
"""The longest file name in a folder."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/+")
_MEANINGLESS = frozenset({"", ".", ".."})
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control, surrogates, line separators


class Place(NamedTuple):
    """A folder, or what stands below a prefix of a bucket; files in it may be named."""

    scheme: str
    """`s3`, `gs` or `gdrive`; empty for a local folder."""
    bucket: str
    """Empty for a local folder."""
    parts: tuple[str, ...]
    """The folder's path, or the prefix, part by part."""

    def location(self, parts: tuple[str, ...]) -> str:
        """The URL or the absolute path of what has these parts."""
        start = f"{self.scheme}://{self.bucket}/" if self.scheme else "/"
        return start + "/".join(parts)

    def has(self, other: Place) -> bool:
        """Whether `other` lies below this place, not being the place itself."""
        return (
            (self.scheme, self.bucket) == (other.scheme, other.bucket)
            and len(other.parts) > len(self.parts)
            and other.parts[: len(self.parts)] == self.parts
        )

    def __str__(self) -> str:
        return self.location(self.parts).rstrip("/") or "/"


class Places:
    """All allowed places; names without a place are in the first one."""

    def __init__(self, places: tuple[Place, ...]) -> None:
        self._places = places

    @classmethod
    def parse(cls, text: str) -> Places:
        """The places of a comma-separated list, as the setting `storage` has it.

        Raises:
            ValueError: something is neither a folder nor a URL of a known kind; tells which.
        """
        return cls(tuple(_place(item.strip()) for item in text.split(",") if item.strip()))

    def __bool__(self) -> bool:
        return bool(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places)

    def __str__(self) -> str:
        return ", ".join(map(str, self._places))

    def resolve(self, name: str) -> str:
        """The URL or the absolute path of the file that `name` means.

        Raises:
            ValueError: there is no such file that could be allowed; tells why.
        """
        if not self._places:
            raise ValueError("no storage is allowed here: set DONEYET_STORAGE to allow some")
        _check_text(name)
        if name.endswith("/"):
            raise ValueError(f"{shown(name)} names a folder; name a file")
        if _SCHEME.match(name) or "://" in name:
            meant = _url(name)
        elif name.startswith("/"):
            meant = Place("", "", _parts(name, empty_allowed=True))
        elif name.startswith("~"):
            raise ValueError(f"{shown(name)} begins with ~; write the whole path")
        else:
            first = self._places[0]
            below = _parts(name, empty_allowed=not first.scheme)
            meant = first._replace(parts=first.parts + below)
        if not any(place.has(meant) for place in self._places):
            raise ValueError(f"{shown(name)} is not inside what is allowed: {self}")
        location = meant.location(meant.parts)
        _check_length(location, meant)
        return location


def shown(text: str) -> str:
    """`text` for a message: in quotes, not too long, without a user and password."""
    text = re.sub(r"//[^/]*@", "//***@", text)
    return repr(text if len(text) <= 200 else text[:200] + "…")


def split_url(location: str) -> tuple[str, str]:
    """What `resolve` gave as its kind (empty for a local file) and the path that follows it."""
    scheme, separator, rest = location.partition("://")
    return (scheme, rest) if separator and not location.startswith("/") else ("", location)


def _place(text: str) -> Place:
    _check_text(text)
    if _SCHEME.match(text):
        return _url(text.rstrip("/") if text.count("/") > 2 else text)
    path = os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111
    if not path.startswith("/"):
        raise ValueError(f"{shown(text)} is not a folder of this system")
    return Place("", "", _parts(path, empty_allowed=True))


def _url(text: str) -> Place:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in KINDS:
        kinds = ", ".join(f"{kind}://" for kind in KINDS)
        raise ValueError(f"{shown(text)} is of no known kind; known are folders, {kinds}")
    bucket, _, path = rest.partition("/")
    if not KINDS[scheme].fullmatch(bucket):
        what = "folder's id" if scheme == "gdrive" else "bucket's name"
        raise ValueError(f"{shown(text)} has no valid {what} after {scheme}://")
    return Place(scheme, bucket, _parts(path, empty_allowed=False) if path else ())


def _parts(path: str, *, empty_allowed: bool) -> tuple[str, ...]:
    """The parts of a path without those that mean nothing."""
    if "\\" in path:
        raise ValueError(f"{shown(path)} has a backslash; separate folders by /")
    parts = tuple(part for part in path.split("/") if part != ".")
    if ".." in parts or any(map(_hides_a_path, parts)):
        raise ValueError(f"{shown(path)} has .. in it, or hides it; write the path without")
    if not empty_allowed and "" in parts:
        raise ValueError(f"{shown(path)} has an empty folder name in it")
    return tuple(part for part in parts if part)


def _hides_a_path(part: str) -> bool:
    """Whether `part` would lead elsewhere for whoever percent-decodes it, however often."""
    plain = part
    while (decoded := unquote(plain)) != plain:
        plain = decoded
    return plain != part and not _MEANINGLESS.isdisjoint(re.split(r"[/\\]", plain))


def _check_text(text: str) -> None:
    if not text.strip():
        raise ValueError("an empty name names no file")
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in text):
        raise ValueError(f"{shown(text)} has a character that no name may have")
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"{shown(text)} is longer than {MOST_BYTES} bytes")


def _check_length(location: str, place: Place) -> None:
    if len(location.encode()) > MOST_BYTES:
        raise ValueError(f"{shown(location)} is longer than {MOST_BYTES} bytes")
    if not place.scheme and any(len(part.encode()) > MOST_PART_BYTES for part in place.parts):
        raise ValueError(f"{shown(location)} has a part longer than {MOST_PART_BYTES} bytes")
