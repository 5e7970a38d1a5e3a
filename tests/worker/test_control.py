"""What a worker process hears from its supervisor, and when it hears that it is alone."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.helpers import wait_until
from worker.process.batch_queue import BatchQueue
from worker.process.program import _Control
from worker.status_board import StatusBoard, make_board_file


@pytest.fixture
def pipe() -> tuple[int, int]:
    """Read and write end; the write end may be closed by the test."""
    reader, writer = os.pipe()
    return reader, writer


@pytest.fixture
def board() -> Iterator[StatusBoard]:
    """Nobody reads it."""
    fd = make_board_file(1)
    made = StatusBoard(fd)
    yield made
    made.close()
    os.close(fd)


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The times after which the process was to be ended by force.

    Whoever listens has heard the end of the pipe before what would kill the tests is back.
    """
    set_to: list[float] = []
    monkeypatch.setattr(signal, "setitimer", lambda _which, after_s: set_to.append(after_s))
    monkeypatch.setattr("worker.process.program.kill_own_group_after", lambda _delay_s: None)
    yield set_to
    for thread in threading.enumerate():
        if thread.name == "control":
            thread.join(20)
            assert not thread.is_alive(), "a test closes what it writes to"


def test_serve_names_the_owner(
    pipe: tuple[int, int], timers: list[float], board: StatusBoard
) -> None:
    """Nothing is claimed before that."""
    reader, writer = pipe
    os.write(writer, b"serve host-1-a 0.5\n")
    control = _Control(reader, 3, board)
    assert control.told_to_serve() == ("host-1-a", 0.5)
    control.on_drain(BatchQueue())
    os.close(writer)
    wait_until(lambda: timers == [3], description="it hears the end")


def test_a_supervisor_that_is_gone_ends_the_process(
    pipe: tuple[int, int], timers: list[float], board: StatusBoard
) -> None:
    """Nothing more begins, and what runs has the grace time left."""
    reader, writer = pipe
    queue = BatchQueue()
    _Control(reader, 3, board).on_drain(queue)
    os.close(writer)
    wait_until(lambda: timers == [3], description="the timer is set")
    assert queue.stopping


def test_a_supervisor_that_is_killed_in_a_drain_ends_it_too(
    pipe: tuple[int, int], timers: list[float], board: StatusBoard
) -> None:
    """Else a process that drains while Redis is away would try to store results for ever."""
    reader, writer = pipe
    queue = BatchQueue()
    _Control(reader, 3, board).on_drain(queue)
    os.write(writer, b"drain\n")
    wait_until(lambda: queue.stopping, description="it drains")
    assert timers == []
    os.close(writer)
    wait_until(lambda: timers == [3], description="the timer is set")


@pytest.mark.usefixtures("timers")
def test_what_it_started_ends_with_it_however_soon_it_ends(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int], board: StatusBoard
) -> None:
    """Also where it is over before the program has started that bounds its grace time, which takes
    its time on a busy machine."""
    ended, may_start = threading.Event(), threading.Event()
    main = "worker.process.program"
    monkeypatch.setattr(f"{main}.kill_own_remains", ended.set)
    monkeypatch.setattr(f"{main}.kill_own_group_after", lambda _delay_s: may_start.wait(20))
    reader, writer = pipe
    queue = BatchQueue()
    control = _Control(reader, 3, board)
    control.on_drain(queue)
    os.close(writer)
    wait_until(lambda: queue.stopping, description="it hears the end")
    control.end()
    assert ended.is_set()
    may_start.set()


@pytest.mark.usefixtures("timers")
def test_what_it_started_is_the_supervisors_business_while_there_is_one(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int], board: StatusBoard
) -> None:
    """Which ends it together with the process, and may want its exit code."""
    monkeypatch.setattr("worker.process.program.kill_own_remains", lambda: pytest.fail("why?"))
    reader, writer = pipe
    queue = BatchQueue()
    control = _Control(reader, 3, board)
    control.on_drain(queue)
    os.write(writer, b"drain\n")
    wait_until(lambda: queue.stopping, description="it drains")
    control.end()
    os.close(writer)
