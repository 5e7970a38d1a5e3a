"""What a supervisor reads of a worker process, alive or dead."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.helpers import wait_until
from tests.worker.running_worker import ROOT
from worker.status_board import Run, StatusBoard, make_board_file


@pytest.fixture
def board_fd() -> Iterator[int]:
    """A board for batches of up to four tasks."""
    fd = make_board_file(4)
    yield fd
    os.close(fd)


def test_between_batches_nothing_runs(board_fd: int) -> None:
    """Neither before the first nor after the last."""
    board = StatusBoard(board_fd)
    assert board.read() is None
    board.begin(["a"])
    board.end()
    assert board.read() is None
    board.close()


def test_the_other_side_sees_the_ids_and_the_time(board_fd: int) -> None:
    """Through its own mapping of the same file."""
    writer, reader = StatusBoard(board_fd), StatusBoard(board_fd)
    ids = [f"{n:040d}" for n in range(4)]
    writer.begin(["before"])
    writer.end()
    writer.begin(ids)
    run = reader.read()
    assert run is not None
    assert (run.number, run.ids) == (2, frozenset(ids))
    assert 0 <= run.running_for_s() < 5
    assert reader.next_number == writer.next_number == 3
    writer.close()
    reader.close()


def test_what_is_held_is_told(board_fd: int) -> None:
    """Nothing at first."""
    writer, reader = StatusBoard(board_fd), StatusBoard(board_fd)
    before = reader.held
    writer.held = 3
    writer.begin(["a"])
    assert (before, reader.held) == (0, 3)
    writer.close()
    reader.close()


def test_ready_is_told_once_everything_is_loaded(board_fd: int) -> None:
    """Not before."""
    writer, reader = StatusBoard(board_fd), StatusBoard(board_fd)
    before = reader.ready
    writer.set_ready()
    assert (before, reader.ready) == (False, True)
    writer.close()
    reader.close()


def test_what_is_read_is_always_one_run(board_fd: int) -> None:
    """While another process writes as fast as it can, ids of two runs never mix."""
    program = (
        "import sys, time\n"
        "from worker.status_board import StatusBoard\n"
        "board = StatusBoard(int(sys.argv[1]))\n"
        "while True:\n"
        "    for n in range(1, 5):\n"
        "        board.begin([str(n) * 40] * n)\n"
        "        time.sleep(0)\n"  # it may be interrupted while a run is shown
        "        board.end()\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(board_fd)], cwd=ROOT, pass_fds=[board_fd]
    )
    reader = StatusBoard(board_fd)
    seen: list[Run] = []

    def seen_enough() -> bool:
        seen.extend(run for _ in range(1000) if (run := reader.read()) is not None)
        return len(seen) >= 1000

    try:
        wait_until(seen_enough, description="a thousand runs were seen", timeout_s=60)
    finally:
        writer.kill()
        writer.wait()
    assert all(run.ids == {str((run.number - 1) % 4 + 1) * 40} for run in seen)
    reader.close()


def test_it_outlives_its_writer(board_fd: int) -> None:
    """That is what it is for."""
    program = (
        "import os, sys\n"
        "from worker.status_board import StatusBoard\n"
        "StatusBoard(int(sys.argv[1])).begin(['a', 'b'])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(board_fd)], cwd=ROOT, pass_fds=[board_fd], check=False
    )
    reader = StatusBoard(board_fd)
    run = reader.read()
    assert run is not None
    assert run.ids == {"a", "b"}
    reader.close()


def test_a_run_that_begins_while_another_is_read_is_read_instead(board_fd: int) -> None:
    """Not the ids of the one with the number of the other."""
    writer, reader = StatusBoard(board_fd), StatusBoard(board_fd)
    writer.begin(["a"])
    entry = reader._run
    memory = entry._memory
    turns = iter([True])

    class Interrupted:
        """Memory whose reader is held up just before it reads the ids, once."""

        def __getitem__(self, part: slice) -> bytes:
            if next(turns, False):
                writer.end()
                writer.begin(["b"])
            return memory[part]

    entry._memory = Interrupted()  # type: ignore[assignment]
    run = reader.read()
    assert run is not None
    assert (run.number, run.ids) == (2, frozenset("b"))
    entry._memory = memory
    writer.close()
    reader.close()
