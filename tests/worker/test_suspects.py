"""Tasks that a process died with: who may claim them, and when."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.helpers import wait_until
from tests.worker.fake_manager import FakeManager
from tests.worker.one_process import Controlled, Process, Start, kind, manager, start
from worker.status_board import StatusBoard, make_board_file
from worker.supervisor.suspects import BUSY_S, Slot, choose_who_takes_suspects
from worker.supervisor.unresponsive import SILENT_S, Silence

__all__ = ["kind", "manager", "start"]

MakeSlot = Callable[..., Slot]


@pytest.fixture
def make_slot() -> Iterator[MakeSlot]:
    """Makes the places of processes that have a board each."""
    boards: list[StatusBoard] = []

    def make(*, serving: bool = True) -> Slot:
        fd = make_board_file(1)
        boards.append(StatusBoard(fd))
        os.close(fd)
        slot = Slot()
        slot.child = cast("Any", SimpleNamespace(board=boards[-1], serving=serving))
        return slot

    yield make
    for board in boards:
        board.close()


def takers(slots: list[Slot]) -> list[int]:
    """The places of those that may claim suspects."""
    choose_who_takes_suspects(slots)
    return [at for at, slot in enumerate(slots) if board(slot).takes_suspects]


def board(slot: Slot) -> StatusBoard:
    """The board of the slot's process."""
    assert slot.child is not None
    return slot.child.board


def test_half_of_the_processes_take_suspects(make_slot: MakeSlot) -> None:
    """And one where there is one."""
    assert takers([make_slot()]) == [0]
    assert takers([make_slot(), make_slot()]) == [0]
    assert takers([make_slot() for _ in range(5)]) == [0, 1]


def test_while_one_is_risky_no_other_takes_suspects(make_slot: MakeSlot) -> None:
    """One that runs a suspect, or starts because the last one there died of one."""
    first, second = make_slot(), make_slot()
    board(second).begin(["s"], alone=True)
    assert takers([first, second]) == [1]
    board(second).end()
    assert takers([first, second]) == [0]
    starting = make_slot(serving=False)
    starting.died_of_suspect = True
    assert takers([first, starting]) == [1]


def test_what_died_for_the_first_time_does_not_wait_for_a_start(make_slot: MakeSlot) -> None:
    """The other process takes it at once, rather than the dead one's successor later."""
    starting, other = make_slot(serving=False), make_slot()
    starting.died_running = True
    assert takers([starting, other]) == [1]


def test_who_is_busy_leaves_suspects_to_another(
    make_slot: MakeSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of hours must not keep them waiting."""
    first, second = make_slot(), make_slot()
    board(first).begin(["long"])
    assert takers([first, second]) == [0]
    monkeypatch.setattr("worker.status_board.Run.running_for_s", lambda _run: BUSY_S + 1)
    assert takers([first, second]) == [1]


def test_a_process_that_may_not_claims_no_suspects(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """The others, however many come."""
    manager.add(kind.name, "suspect", alone=True)
    manager.add(kind.name, "a", "b")
    process: Process = start()
    process.board.takes_suspects = False
    wait_until(lambda: {"a", "b"} <= manager.results.keys(), description="the others are answered")
    manager.add(kind.name, "c")
    wait_until(lambda: "c" in manager.results, description="the next is answered")
    assert [claim.id for claim in manager.waiting] == ["suspect"]
    process.board.takes_suspects = True
    wait_until(lambda: "suspect" in manager.results, description="it may now")


def test_after_a_death_others_come_first(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """For a while; where nobody else waits, suspects run at once."""
    manager.add(kind.name, "suspect", alone=True)
    manager.add(kind.name, *[f"t{n}" for n in range(20)])
    start(takes_suspects=True, suspects_in_s=60.0)
    wait_until(lambda: len(manager.results) == 21, description="all are answered")
    assert kind.batches[-1] == ["suspect"]


def test_what_was_taken_back_does_not_begin(
    manager: FakeManager, kind: Controlled, start: Start
) -> None:
    """The supervisor had given it back while the process did not answer."""
    manager.add(kind.name, *[f"t{n}" for n in range(200)])
    process = start()
    wait_until(lambda: len(manager.results) == 200, description="claims have grown")
    kind.gate.clear()
    manager.add(kind.name, *[f"u{n}" for n in range(20)])
    wait_until(lambda: len(manager.held) > 1, description="several are claimed")
    begun = kind.batches[-1]
    process.board.revoke()
    manager.release_unbegun("owner", [kind.name], begun)
    taken, manager.waiting = manager.waiting, []  # by others
    kind.gate.set()
    wait_until(lambda: begun[0] in manager.results, description="what ran is answered")
    manager.add(kind.name, "next")
    wait_until(lambda: "next" in manager.results, description="it goes on")
    ran = [key for batch in kind.batches for key in batch]
    assert not {claim.id for claim in taken} & set(ran)
    assert not manager.held


def test_a_silent_process_keeps_what_it_runs(
    manager: FakeManager, make_slot: MakeSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that answers keeps all."""
    slot = make_slot()
    child = cast("Any", slot.child)
    child.owner, child.pid = "owner", 1
    manager.add("t", "a", "b", "c")
    manager.claim("owner", ["t"], 3)
    board(slot).begin(["b"])
    board(slot).beat()
    silence = Silence(manager, ["t"])
    silence.run_once([child])
    assert len(manager.held) == 3
    monkeypatch.setattr(StatusBoard, "silent_for_s", lambda _board: SILENT_S + 1)
    before = board(slot).revocations
    silence.run_once([child])
    assert list(manager.held) == ["b"]
    assert board(slot).revocations == before + 1
