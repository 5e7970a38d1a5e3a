"""What a request may name: nothing outside the allowed places, however it is written."""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doneyet.task_types.batch.storage.places import Places, split_url

PLACES = Places.parse("/data, s3://bucket/prefix, gs://other-bucket, gdrive://Folder_1/sub")

INSIDE = {
    "book.json": "/data/book.json",
    "a/b c/ü.json": "/data/a/b c/ü.json",
    "./a/./b": "/data/a/b",
    "a//b": "/data/a/b",
    "/data/a": "/data/a",
    "/data//a": "/data/a",
    "a..b/...": "/data/a..b/...",
    "100%.json": "/data/100%.json",
    "s3://bucket/prefix/a": "s3://bucket/prefix/a",
    "s3://bucket/prefix/a?b#c": "s3://bucket/prefix/a?b#c",
    "gs://other-bucket/a": "gs://other-bucket/a",
    "gdrive://Folder_1/sub/a": "gdrive://Folder_1/sub/a",
}

OUTSIDE = {
    "another folder": "/etc/passwd",
    "a folder that begins alike": "/database/x",
    "up": "../etc/passwd",
    "up from inside": "a/../../etc/passwd",
    "up and back": "/data/../data/x",
    "up, encoded": "a/%2e%2e/%2e%2e/x",
    "up, encoded with the slash": "a%2f..%2f..%2fx",
    "up, encoded twice": "a/%252e%252e/x",
    "a point, encoded": "%2e",
    "a slash, encoded": "a%2f",
    "up, with a backslash": "a\\..\\..\\x",
    "up, with a backslash that is encoded": "a%5c..%5cx",
    "another bucket": "s3://other/prefix/x",
    "a bucket that begins alike": "s3://bucket-2/prefix/x",
    "a prefix that begins alike": "s3://bucket/prefixed-other",
    "above the prefix": "s3://bucket/x",
    "up from the prefix": "s3://bucket/prefix/../x",
    "another kind": "gs://bucket/prefix/x",
    "a kind that is not known": "https://bucket/prefix/x",
    "a file's URL": "file:///data/x",
    "a chain of kinds": "simplecache::s3://bucket/prefix/x",
    "a URL in capitals": "S3://bucket/prefix/x",
    "a URL with one slash": "s3:/bucket/prefix/x",
    "another user's bucket": "s3://user:secret@bucket/prefix/x",
    "a part without a name": "s3://bucket/prefix//x",
    "a place itself": "/data",
    "a bucket's prefix itself": "s3://bucket/prefix",
    "a folder": "a/",
    "nothing": "",
    "blanks": "  ",
    "the place, as a point": ".",
    "a home": "~/x",
    "NUL": "a\0b",
    "a control character": "a\nb",
    "half a character": "a\ud800",
    "too much": "a/" * 600 + "x",
    "too long a name": "a" * 256,
    "too long with the place": "s3://bucket/prefix/" + "ü" * 510,
}


@pytest.mark.parametrize("name", INSIDE)
def test_inside(name: str) -> None:
    """Names of files in a place, in full; resolving them again changes nothing."""
    assert PLACES.resolve(name) == INSIDE[name]
    assert PLACES.resolve(INSIDE[name]) == INSIDE[name]


@pytest.mark.parametrize("name", OUTSIDE.values(), ids=OUTSIDE)
def test_outside(name: str) -> None:
    """Refused, with a message that can be sent and that shows no secret."""
    with pytest.raises(ValueError, match=r"\w+ \w+") as caught:
        PLACES.resolve(name)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value).encode()) < 500


SPECIAL = ["..", ".", "/", "//", "\\", "%2e", "%2E%2e", "%2f", "%252e", "data", "bucket", "prefix"]
SPECIAL += ["s3://", "gs://", "gdrive://", "file://", "Folder_1", "sub", "~", "\0", " ", ":", "@"]
NAMES = st.one_of(
    st.text(), st.lists(st.one_of(st.sampled_from(SPECIAL), st.text(max_size=3))).map("".join)
)
ROOTS = ("/data/", "s3://bucket/prefix/", "gs://other-bucket/", "gdrive://Folder_1/sub/")


@given(NAMES)
def test_nothing_leads_out(name: str) -> None:
    """Whatever the name is, it is refused or means a file in a place, for every reader of paths."""
    try:
        location = PLACES.resolve(name)
    except ValueError:
        return
    (root,) = [root for root in ROOTS if location.startswith(root)]
    below = location.removeprefix(root)
    for _ in range(3):
        assert posixpath.normpath("/x/" + below).startswith("/x/")
        assert ".." not in re.split(r"[/\\]", below)
        below = unquote(below)
    assert below
    assert not below.endswith("/")
    assert PLACES.resolve(location) == location


@given(st.sampled_from(ROOTS), st.text(alphabet="abü .%-_", min_size=1).filter(str.strip))
def test_plain_names_are_not_refused(root: str, name: str) -> None:
    """A place would be of little use otherwise."""
    if name not in (".", ".."):
        assert PLACES.resolve(root + name) == root + name


class TestParse:
    """The setting."""

    def test_folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """May be relative, or in one's home; slashes at the end mean nothing."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", "/home/somebody")
        assert Places.parse("./data/").resolve("x") == f"{tmp_path}/data/x"
        assert Places.parse("data").resolve("x") == f"{tmp_path}/data/x"
        assert Places.parse("~/jobs").resolve("x") == "/home/somebody/jobs/x"
        assert Places.parse("/").resolve("x") == "/x"

    def test_buckets(self) -> None:
        """With a prefix or without; relative names are in the first place."""
        assert Places.parse("s3://bucket/").resolve("a/b") == "s3://bucket/a/b"
        assert Places.parse("gs://bucket/jobs, /data").resolve("a") == "gs://bucket/jobs/a"

    def test_nothing_is_allowed(self) -> None:
        """No place, no file."""
        assert not Places.parse("")
        assert not Places.parse(" , ")
        assert Places.parse("/data")
        with pytest.raises(ValueError, match="set DONEYET_STORAGE"):
            Places.parse("").resolve("x")

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "ftp://host/x",
                "http://host",
                "s3:/bucket",
                "s3://",
                "s3:///x",
                "s3://A",
                "s3://b;x",
            ),
            *("s3://u:pw@b/x", "s3://bucket/../x", "s3://bucket//x", "gdrive://", "gdrive://a b"),
            *("/data\0", "s3://bucket/%2e%2e/x"),
        ],
    )
    def test_junk(self, text: str) -> None:
        """Is refused with what is wrong, but not with a password."""
        with pytest.raises(ValueError, match=r"\w+ \w+") as caught:
            Places.parse("/data," + text)
        assert "pw" not in str(caught.value)


def test_split_url() -> None:
    """The kind is told from the path."""
    assert split_url("s3://bucket/a") == ("s3", "bucket/a")
    assert split_url("/data/a://b") == ("", "/data/a://b")


def test_the_server_needs_no_storage_library() -> None:
    """Neither names nor the class that reads files import fsspec or a storage's library."""
    code = (
        "import sys\n"
        "from doneyet.task_types.batch.storage import files, places\n"
        "heavy = {'fsspec', 's3fs', 'gcsfs', 'pydrive2', 'botocore', 'aiohttp'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
