"""Files in local folders: whole or not at all, and never outside of what is allowed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from doneyet.task_types.batch.storage.files import Files, Info, StorageError
from doneyet.task_types.batch.storage.places import Places

STORE = (
    "import sys, pathlib; from doneyet.task_types.batch.storage.files import Files\n"
    "from doneyet.task_types.batch.storage.places import Places\n"
    "place, source, location = sys.argv[1:]\n"
    "Files(Places.parse(place)).store(pathlib.Path(source), location)\n"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An allowed folder."""
    path = tmp_path / "place"
    path.mkdir()
    return path


@pytest.fixture
def files(place: Path) -> Files:
    """What a worker has."""
    return Files(Places.parse(str(place)))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to store."""
    path = tmp_path / "source"
    path.write_bytes(b"new")
    return path


def names(folder: Path) -> list[str]:
    """What is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def test_what_is_stored_is_fetched(files: Files, place: Path, source: Path, tmp_path: Path) -> None:
    """Folders below the place are made as needed; nothing else is left."""
    location = f"{place}/a/b/out"
    assert files.describe(location) is None
    files.store(source, location)
    files.fetch(location, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"new"
    assert files.describe(location) == Info(3)
    assert names(place / "a" / "b") == ["out"]


def test_replacing(files: Files, place: Path, source: Path) -> None:
    """Who has the old file open reads on in it; the new one has its mode."""
    (place / "out").write_bytes(b"old, and longer")
    (place / "out").chmod(0o640)
    with open(place / "out", "rb") as reader:
        files.store(source, f"{place}/out")
        assert reader.read() == b"old, and longer"
    assert (place / "out").read_bytes() == b"new"
    assert (place / "out").stat().st_mode & 0o777 == 0o640


def test_a_new_file_is_as_open_as_others(files: Files, place: Path, source: Path) -> None:
    """Its mode is what the umask says, not that of temporary files."""
    old = os.umask(0o022)
    try:
        files.store(source, f"{place}/out")
    finally:
        os.umask(old)
    assert (place / "out").stat().st_mode & 0o777 == 0o644


def test_what_is_not_there(files: Files, place: Path, source: Path, tmp_path: Path) -> None:
    """No file, a folder, a pipe and a file in the place of a folder are told apart."""
    (place / "folder").mkdir()
    (place / "file").write_bytes(b"x")
    os.mkfifo(place / "pipe")
    assert files.describe(f"{place}/folder") is None
    assert files.describe(f"{place}/file/below") is None
    with pytest.raises(StorageError, match=r"cannot read '.*none': there is no such file"):
        files.fetch(f"{place}/none", tmp_path / "copy")
    with pytest.raises(StorageError, match="it is a folder; name a file"):
        files.fetch(f"{place}/folder", tmp_path / "copy")
    with pytest.raises(StorageError, match="not a regular file"):
        files.fetch(f"{place}/pipe", tmp_path / "copy")
    for act in (files.check_writable, lambda where: files.store(source, where)):
        with pytest.raises(StorageError, match="it is a folder; name a file"):
            act(f"{place}/folder")
        with pytest.raises(StorageError, match="one of the folders in the name is a file"):
            act(f"{place}/file/below")
    assert names(place) == ["file", "folder", "pipe"]


def test_a_place_that_is_not_there(source: Path, tmp_path: Path) -> None:
    """Is not made: it is a disk that is not mounted, or a misspelt setting."""
    files = Files(Places.parse(str(tmp_path / "none")))
    for act in (files.describe, files.check_writable, lambda where: files.store(source, where)):
        with pytest.raises(StorageError, match="none', which DONEYET_STORAGE allows, is not on"):
            act(f"{tmp_path}/none/a/out")
    assert not (tmp_path / "none").exists()


def test_outside_is_refused(files: Files, source: Path, tmp_path: Path) -> None:
    """Also where whoever asked was allowed more than this worker is."""
    with pytest.raises(StorageError, match=r"this worker refuses it: .*not inside"):
        files.store(source, f"{tmp_path}/out")


class TestLinks:
    """Symbolic links, looked at when the file is."""

    def test_within_a_place(self, files: Files, place: Path, source: Path) -> None:
        """Are followed; a link to a file stays one."""
        (place / "folder").mkdir()
        (place / "link").symlink_to("folder")
        (place / "out").symlink_to("folder/real")
        files.store(source, f"{place}/link/a")
        files.store(source, f"{place}/out")
        assert names(place / "folder") == ["a", "real"]
        assert (place / "out").is_symlink()

    def test_out_of_a_place(self, files: Files, place: Path, source: Path, tmp_path: Path) -> None:
        """Are refused, whether the folder is one, or the file, or what it leads to is not there."""
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "file").write_bytes(b"secret")
        (place / "folder").symlink_to(outside)
        (place / "file").symlink_to(outside / "file")
        (place / "none").symlink_to(outside / "none")
        for name in ("folder/file", "file", "none", "folder/new/file"):
            location = f"{place}/{name}"
            for act in (
                lambda where: files.fetch(where, tmp_path / "copy"),
                lambda where: files.store(source, where),
                files.check_writable,
                files.describe,
            ):
                with pytest.raises(StorageError, match="symbolic link leads from"):
                    act(location)
        assert names(outside) == ["file"]
        assert (outside / "file").read_bytes() == b"secret"
        assert not (tmp_path / "copy").exists()

    def test_into_another_place(self, place: Path, source: Path, tmp_path: Path) -> None:
        """Are followed: that is allowed, too."""
        (tmp_path / "other").mkdir()
        (place / "link").symlink_to(tmp_path / "other")
        Files(Places.parse(f"{place}, {tmp_path}/other")).store(source, f"{place}/link/out")
        assert (tmp_path / "other" / "out").read_bytes() == b"new"

    def test_a_place_may_be_one(self, place: Path, source: Path, tmp_path: Path) -> None:
        """Whoever allowed it knew where it leads."""
        (tmp_path / "link").symlink_to(place)
        Files(Places.parse(f"{tmp_path}/link")).store(source, f"{tmp_path}/link/out")
        assert (place / "out").read_bytes() == b"new"

    def test_one_that_is_put_there_meanwhile(
        self,
        files: Files,
        place: Path,
        source: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A folder that becomes a link after the check is not followed."""
        (tmp_path / "outside").mkdir()
        (place / "folder").mkdir()
        real_path = os.path.realpath

        def and_then_swapped(path: str) -> str:
            real = real_path(path)
            if path.endswith("/out"):
                (place / "folder").rmdir()
                (place / "folder").symlink_to(tmp_path / "outside")
            return real

        monkeypatch.setattr(os.path, "realpath", and_then_swapped)
        with pytest.raises(StorageError, match="cannot write"):
            files.store(source, f"{place}/folder/out")
        assert names(tmp_path / "outside") == []


class TestFailing:
    """Writes that do not come to their end."""

    def test_killed(self, place: Path, tmp_path: Path) -> None:
        """The old file is whole; what the killed process left is hidden, and swept up later."""
        (place / "out").write_bytes(b"old")
        os.mkfifo(tmp_path / "pipe")
        command = [sys.executable, "-c", STORE, str(place), str(tmp_path / "pipe")]
        process = subprocess.Popen([*command, f"{place}/out"])
        with open(tmp_path / "pipe", "wb", buffering=0) as pipe:
            # More than a pipe holds, so some of it has been read.
            pipe.writelines(b"x" * (1 << 16) for _ in range(40))
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        assert (place / "out").read_bytes() == b"old"
        (left,) = set(names(place)) - {"out"}
        assert left.startswith(".")
        assert (place / left).stat().st_size > 0

        files = Files(Places.parse(str(place)))
        (tmp_path / "source").write_bytes(b"new")
        files.store(tmp_path / "source", f"{place}/out")
        assert (place / left).exists(), "it may be somebody else's who is still writing"
        hours_ago = time.time() - 7200
        os.utime(place / left, (hours_ago, hours_ago))
        files.store(tmp_path / "source", f"{place}/out")
        assert names(place) == ["out"]
        assert (place / "out").read_bytes() == b"new"

    def test_no_room(self, place: Path, tmp_path: Path) -> None:
        """A limit that the write meets half-way: the old file is whole, nothing else is left."""
        (place / "out").write_bytes(b"old")
        (tmp_path / "source").write_bytes(b"x" * 100_000)
        code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        command = [sys.executable, "-c", code + STORE, str(place), str(tmp_path / "source")]
        ended = subprocess.run(
            [*command, f"{place}/out"], capture_output=True, text=True, timeout=30, check=False
        )
        assert ended.returncode == 1
        assert f"StorageError: cannot write '{place}/out': File too large" in ended.stderr
        assert names(place) == ["out"]
        assert (place / "out").read_bytes() == b"old"

    def test_a_full_disk(
        self, files: Files, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The message says so, and what to do; some disks say it only when asked to be sure."""
        (place / "out").write_bytes(b"old")

        def full(file: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left on device; free some space"):
            files.store(source, f"{place}/out")
        assert names(place) == ["out"]
        assert (place / "out").read_bytes() == b"old"

    def test_checking_leaves_no_trace(self, files: Files, place: Path) -> None:
        """Not even the folders that are missing."""
        files.check_writable(f"{place}/a/b/out")
        files.check_writable(f"{place}/out")
        assert names(place) == []

    def test_checking_tells_what_storing_would(
        self, files: Files, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A disk that can only be read, for one."""
        real_open = os.open

        def read_only(path: str, flags: int, *args: int, dir_fd: int | None = None) -> int:
            if flags & os.O_CREAT:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return real_open(path, flags, *args, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", read_only)
        with pytest.raises(StorageError, match="Read-only file system; name a file on"):
            files.check_writable(f"{place}/a/out")
