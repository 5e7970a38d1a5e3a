"""Temporary files: without a trace, and with the right place to blame."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from doneyet.task_types.batch.storage.files import Files
from doneyet.task_types.batch.storage.places import Places
from doneyet.task_types.batch.storage.scratch import scratch_files
from tests.helpers import wait_until
from tests.storage.test_local_files import names

HOLD = """
import os, time
from doneyet.task_types.batch.storage.scratch import scratch_files
with scratch_files(2) as paths:
    for path in paths:
        path.write_bytes(b"x" * 100_000)
    print("written", [path.stat().st_size for path in paths], flush=True)
    time.sleep(60)
"""

FULL = """
import resource, sys
from pathlib import Path
from doneyet.task_types.batch.storage.files import Files
from doneyet.task_types.batch.storage.places import Places
from doneyet.task_types.batch.storage.scratch import ScratchError, scratch_files
from doneyet.task_types.batch.run import BatchRun
from doneyet.task_types.batch.items import Item

class Nobody:
    def progress(self, *args): ...

place, name = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    with scratch_files(2) as (source, target):
        if name != "-":
            Files(Places.parse(place)).fetch(f"{place}/{name}", source)
        items = (Item(n, None, None, "x" * 1000) for n in range(1000))
        BatchRun([], "in", "out", [], False).over(items, 1000, target, Nobody())
except ScratchError as error:
    print(error)
"""


def test_killed_with_temporary_files(tmp_path: Path) -> None:
    """They have no name, so that nothing is left; they are as large as the disk allows."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written [100000, 100000]\n"
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_each_is_a_file_of_its_own() -> None:
    """They are opened by their paths, as often as need be."""
    with scratch_files(2) as (one, other):
        one.write_bytes(b"long")
        other.write_bytes(b"other")
        one.write_bytes(b"1")
        assert one.read_bytes() == b"1"
        assert other.read_bytes() == b"other"


@pytest.mark.parametrize("name", ["large", "-"])
def test_a_full_temporary_folder_is_what_is_blamed(tmp_path: Path, name: str) -> None:
    """By its name, with its setting, whether the input or the output does not fit; never the
    input's folder."""
    place, temporary = tmp_path / "place", tmp_path / "temporary"
    place.mkdir()
    temporary.mkdir()
    (place / "large").write_bytes(b"x" * 100_000)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(place), name],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert done.stdout.startswith(f"cannot write temporary files to '{temporary}': File too large")
    assert "set TMPDIR" in done.stdout
    assert str(place) not in done.stdout


def test_outputs_that_are_named_as_our_own_are_not_swept(tmp_path: Path) -> None:
    """Only what a killed process left is: it is marked as unfinished."""
    files = Files(Places.parse(str(tmp_path)))
    (tmp_path / "source").write_bytes(b"new")
    ours = [".doneyet-0123456789abcdef.part", ".doneyet-mine.part", ".doneyet-.part"]
    for name in ours:
        files.store(tmp_path / "source", f"{tmp_path}/{name}")
        hours_ago = time.time() - 7200
        os.utime(tmp_path / name, (hours_ago, hours_ago))
    (tmp_path / "link.part").symlink_to(ours[0])
    files.store(tmp_path / "source", f"{tmp_path}/out")
    assert names(tmp_path) == sorted([*ours, "link.part", "out", "source"])


def test_what_is_written_is_marked_until_it_is_complete(
    tmp_path: Path,
) -> None:
    """That is how it is told from an output."""
    files = Files(Places.parse(str(tmp_path)))
    (tmp_path / "source").write_bytes(b"new")
    os.mkfifo(tmp_path / "pipe")
    command = (
        "import sys, pathlib; from doneyet.task_types.batch.storage.files import Files\n"
        "from doneyet.task_types.batch.storage.places import Places\n"
        "Files(Places.parse(sys.argv[1])).store(pathlib.Path(sys.argv[2]), sys.argv[3])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", command, str(tmp_path), str(tmp_path / "pipe"), f"{tmp_path}/out"]
    )
    with open(tmp_path / "pipe", "wb", buffering=0):

        def unfinished() -> str:
            return next((n for n in names(tmp_path) if n.startswith(".doneyet-")), "")

        name = wait_until(unfinished, description="it writes")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert name is not None
    assert re.fullmatch(r"\.doneyet-[0-9a-f]{16}\.part", name)
    hours_ago = time.time() - 7200
    os.utime(tmp_path / name, (hours_ago, hours_ago))
    files.store(tmp_path / "source", f"{tmp_path}/out")
    assert names(tmp_path) == ["out", "pipe", "source"]
    assert (tmp_path / "out").stat().st_mode & 0o7111 == 0
