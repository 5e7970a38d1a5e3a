"""Two names of one file, and outputs that are no files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from doneyet.task_types.batch.storage.files import Files, StorageError
from doneyet.task_types.batch.storage.places import Places
from doneyet.task_types.job import StoppedError
from tests.storage.s3_server import S3Server
from tests.storage.test_local_files import names


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An allowed folder with a file in it."""
    path = tmp_path / "place"
    (path / "below").mkdir(parents=True)
    (path / "a").write_bytes(b"a")
    return path


@pytest.fixture
def files(place: Path, tmp_path: Path) -> Files:
    """What a worker has; the other folder is an allowed one, too."""
    (tmp_path / "other").mkdir()
    return Files(Places.parse(f"{place}, {tmp_path}/other, s3://bucket/x"))


def linked(place: Path) -> None:
    (place / "b").symlink_to("a")


def hard_linked(place: Path) -> None:
    (place / "b").hardlink_to(place / "a")


def linked_twice(place: Path) -> None:
    (place / "c").symlink_to(place / "a")
    (place / "below" / "d").symlink_to("../c")
    (place / "b").symlink_to("below/d")


def in_a_linked_folder(place: Path) -> None:
    (place / "again").symlink_to(".")
    (place / "b").symlink_to("again/again/a")


@pytest.mark.parametrize("make", [linked, hard_linked, linked_twice, in_a_linked_folder])
def test_links_to_one_file(files: Files, place: Path, tmp_path: Path, make: Any) -> None:
    """Whichever of the two is read: nothing is stored where the other is spared."""
    make(place)
    (tmp_path / "new").write_bytes(b"new")
    for one, other in (("a", "b"), ("b", "a")):
        assert files.same(f"{place}/{one}", f"{place}/{other}")
        with pytest.raises(StorageError, match="has become one file with"):
            files.store(tmp_path / "new", f"{place}/{other}", spared=f"{place}/{one}")
    assert (place / "a").read_bytes() == b"a"
    assert not files.same(f"{place}/a", f"{place}/none")
    (place / "other").write_bytes(b"a")
    assert not files.same(f"{place}/a", f"{place}/other")
    assert not files.same(f"{place}/a", "s3://bucket/x/a")


def test_a_linked_folder(files: Files, place: Path, tmp_path: Path) -> None:
    """Also where the file is not there yet, and in another allowed folder."""
    (tmp_path / "other" / "link").symlink_to(place)
    assert files.same(f"{place}/a", f"{tmp_path}/other/link/a")
    assert files.same(f"{place}/new", f"{tmp_path}/other/link/new")
    (place / "dangling").symlink_to("new")
    assert files.same(f"{place}/new", f"{place}/dangling")


def test_a_link_out_of_the_folder(files: Files, place: Path, tmp_path: Path) -> None:
    """Is refused as everywhere, also to be compared."""
    (tmp_path / "secret").write_bytes(b"secret")
    (place / "out").symlink_to(tmp_path / "secret")
    for one, other in (("a", "out"), ("out", "a")):
        with pytest.raises(StorageError, match="symbolic link leads from"):
            files.same(f"{place}/{one}", f"{place}/{other}")


def test_one_that_becomes_the_other_while_it_is_written(
    files: Files, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at again just before it would be replaced."""
    (tmp_path / "new").write_bytes(b"new")
    real_fsync = os.fsync

    def and_then_linked(file: int) -> None:
        real_fsync(file)
        (place / "b").hardlink_to(place / "a")

    monkeypatch.setattr(os, "fsync", and_then_linked)
    with pytest.raises(StorageError, match="has become one file with"):
        files.store(tmp_path / "new", f"{place}/b", spared=f"{place}/a")
    assert (place / "a").read_bytes() == (place / "b").read_bytes() == b"a"
    assert names(place) == ["a", "b", "below"]


def test_an_output_that_is_no_file(files: Files, place: Path, tmp_path: Path) -> None:
    """A pipe or a socket stays what it is; that is told before any work."""
    os.mkfifo(place / "pipe")
    (place / "link").symlink_to("pipe")
    (place / "circle").symlink_to("circle")
    (tmp_path / "new").write_bytes(b"new")
    for name, told in (("pipe", "not a regular file"), ("link", "not a regular file")):
        for act in (files.check_writable, lambda where: files.store(tmp_path / "new", where)):
            with pytest.raises(StorageError, match=told):
                act(f"{place}/{name}")
    with pytest.raises(StorageError, match=r"links lead in a circle|not a regular file"):
        files.check_writable(f"{place}/circle")
    assert (place / "pipe").is_fifo()
    assert names(place) == ["a", "below", "circle", "link", "pipe"]


def test_a_dangling_link_becomes_a_file_where_it_leads(
    files: Files, place: Path, tmp_path: Path
) -> None:
    """The link stays one."""
    (tmp_path / "new").write_bytes(b"new")
    (place / "link").symlink_to("below/new")
    files.check_writable(f"{place}/link")
    files.store(tmp_path / "new", f"{place}/link", spared=f"{place}/a")
    assert (place / "link").is_symlink()
    assert (place / "below" / "new").read_bytes() == b"new"


def test_a_version_is_another_after_each_write(files: Files, place: Path, tmp_path: Path) -> None:
    """In place with the same size and time, replaced, or gone."""
    seen = [files.version(f"{place}/a"), files.fetch(f"{place}/a", tmp_path / "copy")]
    assert seen[0] == seen[1]
    old = (place / "a").stat()
    (place / "a").write_bytes(b"b")
    os.utime(place / "a", ns=(old.st_atime_ns, old.st_mtime_ns))
    seen.append(files.version(f"{place}/a"))
    files.store(tmp_path / "copy", f"{place}/a")
    seen.append(files.version(f"{place}/a"))
    assert len(set(seen)) == 3
    (place / "a").unlink()
    assert files.version(f"{place}/a") is None


def test_a_file_that_changes_while_it_is_read(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is read again, a little later."""
    pauses: list[float] = []
    files = Files(Places.parse(str(place)), sleep=pauses.append)
    real_copy = shutil.copyfileobj

    def and_then_appended(*args: Any) -> None:
        real_copy(*args)
        if not pauses:
            with (place / "a").open("ab") as file:
                file.write(b"more")

    monkeypatch.setattr(shutil, "copyfileobj", and_then_appended)
    files.fetch(f"{place}/a", tmp_path / "copy")
    assert len(pauses) == 1
    assert (tmp_path / "copy").read_bytes() == b"amore"


def test_a_job_that_is_stopped_while_it_waits(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To try again: it goes back to others, so that is no failure of storage."""

    def stop(pause_s: float) -> None:
        raise StoppedError("the worker stops")

    def appended(*args: Any) -> None:
        with (place / "a").open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(shutil, "copyfileobj", appended)
    with pytest.raises(StoppedError):
        Files(Places.parse(str(place)), sleep=stop).fetch(f"{place}/a", tmp_path / "copy")


def test_versions_in_s3(
    s3_server: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what S3 tells of the object; keys that differ are two files."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    files = Files(Places.parse(f"s3://{bucket}"))
    one = f"s3://{bucket}/one"
    assert files.version(one) is None
    (tmp_path / "file").write_bytes(b"1")
    files.store(tmp_path / "file", one, spared=f"s3://{bucket}/two")
    before = files.version(one)
    assert before == files.version(one) == files.fetch(one, tmp_path / "copy")
    (tmp_path / "file").write_bytes(b"2")
    files.store(tmp_path / "file", one)
    assert files.version(one) != before
    assert files.same(one, one)
    with pytest.raises(StorageError, match="has become one file with"):
        files.store(tmp_path / "file", one, spared=one)
