"""What is told to the policy, which processes go, and what the supervisor makes of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autoscaler.policy import TO_ZERO_AFTER_LOADS, TO_ZERO_AFTER_S
from doneyet.process_range import Range
from doneyet.settings import Settings
from doneyet.task_types import Registry
from task_manager.errors import UnavailableError
from task_manager.values import Load
from tests.worker.fake_manager import FakeManager
from tests.worker.sample_tasks import BatchedNoop, Noop
from worker.status_board import StatusBoard, make_board_file
from worker.supervisor.child import Child
from worker.supervisor.scaling import LOOK_EVERY_S, MOST_UNSEEN_S, UP_AFTER_S, Scaling, leavers
from worker.supervisor.supervisor import Supervisor
from worker.supervisor.suspects import Slot

TYPES = {kind.name: kind for kind in (Noop(), BatchedNoop())}

MakeSlot = Callable[..., Slot]


@pytest.fixture
def make_slot() -> Iterator[MakeSlot]:
    """Makes the places of processes that have a board each."""
    boards: list[StatusBoard] = []

    def make(*, serving: bool = True, held: int = 0, started_s: float = 0.0) -> Slot:
        fd = make_board_file(1)
        boards.append(StatusBoard(fd))
        os.close(fd)
        boards[-1].held = held
        slot = Slot()
        slot.child = cast(
            "Any",
            SimpleNamespace(
                board=boards[-1], serving=serving, started_s=started_s, owner=f"o{len(boards)}"
            ),
        )
        return slot

    yield make
    for board in boards:
        board.close()


def board(slot: Slot) -> StatusBoard:
    """The board of the slot's process."""
    assert slot.child is not None
    return slot.child.board


class Scaled:
    """A scaling with a clock that the test turns, and a load that it sets."""

    def __init__(self, least: int = 0, most: int = 8) -> None:
        self.now_s = 1000.0
        self.waiting = dict.fromkeys(TYPES, 0)
        self.paused: set[str] = set()
        self.is_away = False
        self.looks = 0
        self.scaling = Scaling(Range(least, most), TYPES, self._load, lambda: self.now_s)

    def _load(self, names: Any) -> list[Load]:
        if self.is_away:
            raise UnavailableError("Redis is away")
        self.looks += 1
        return [
            Load(name, self.waiting[name], running=70, workers=9, paused=name in self.paused)
            for name in names
        ]

    def look(self, *slots: Slot) -> int | None:
        """A look, a second later."""
        self.now_s += LOOK_EVERY_S
        return self.scaling.look(slots)

    def look_for(self, duration_s: float, *slots: Slot) -> int | None:
        """Looks each second for so long; what came of the last."""
        number = None
        for _ in range(round(duration_s / LOOK_EVERY_S)):
            number = self.look(*slots)
        return number


def test_one_look_a_second() -> None:
    """Redis is not asked more often, and for the first time at once."""
    scaled = Scaled()
    told = [scaled.scaling.look([]) for _ in range(3)]
    scaled.now_s += 0.9 * LOOK_EVERY_S
    told.append(scaled.scaling.look([]))
    assert (told, scaled.looks) == ([0, None, None, None], 1)
    assert scaled.look() == 0
    assert scaled.looks == 2


def test_from_none_to_one_at_once() -> None:
    """Whatever waits; what others run brings none here."""
    scaled = Scaled()
    assert scaled.look() == 0
    scaled.waiting["noop"] = 1000
    assert scaled.look() == 1


def test_what_is_paused_does_not_count() -> None:
    """No process could run it."""
    scaled = Scaled()
    scaled.waiting["noop"] = 5
    scaled.paused.add("noop")
    assert scaled.look() == 0
    scaled.waiting["noop/batched"] = 1
    assert scaled.look() == 1


@pytest.mark.parametrize(("name", "waiting"), [("noop", 3), ("noop/batched", 3 * 64 - 20)])
def test_what_waits_counts_in_batches(name: str, waiting: int, make_slot: MakeSlot) -> None:
    """Three batches of the type and one that runs are for four processes, one after the other."""
    scaled = Scaled()
    scaled.waiting[name] = waiting
    slots: list[Slot] = []
    numbers = []
    for _ in range(round(6 * UP_AFTER_S)):
        number = scaled.look(*slots) or 0
        if number > len(slots):
            numbers.append(number)
            slots += [make_slot(held=len(slots) == 0) for _ in range(number - len(slots))]
    assert numbers == [1, 2, 3, 4]


def test_a_burst_that_is_soon_over_brings_no_second(make_slot: MakeSlot) -> None:
    """It is worked off before another process could help."""
    scaled = Scaled()
    scaled.waiting["noop"] = 1000
    assert scaled.look() == 1
    slot = make_slot()
    seen = {scaled.look_for(UP_AFTER_S / 3, slot)}
    scaled.waiting["noop"] = 0
    seen |= {scaled.look(slot) for _ in range(60)}
    assert seen == {1}


def test_the_last_goes_when_nothing_was_there_for_long(make_slot: MakeSlot) -> None:
    """Ten minutes."""
    scaled = Scaled()
    slot = make_slot()
    assert scaled.look_for(TO_ZERO_AFTER_S, slot) == 1
    assert scaled.look(slot) == 0


def test_a_task_between_two_looks_counts(make_slot: MakeSlot) -> None:
    """Quick ones are never seen to run."""
    scaled = Scaled()
    slot = make_slot()
    for _ in range(3):
        scaled.look_for(TO_ZERO_AFTER_S - 10, slot)
        board(slot).begin(["a"])
        board(slot).end()
    assert scaled.look_for(TO_ZERO_AFTER_S, slot) == 1
    assert scaled.look_for(2, slot) == 0


def test_what_is_held_is_at_work(make_slot: MakeSlot) -> None:
    """Also while it waits for a device, or for its model."""
    scaled = Scaled()
    slot = make_slot(held=1)
    assert scaled.look_for(2 * TO_ZERO_AFTER_S, slot) == 1


def test_a_long_load_makes_it_stay_longer(make_slot: MakeSlot) -> None:
    """Three times as long as it takes from the start to the first run."""
    scaled = Scaled()
    slot = make_slot(serving=False)
    scaled.look_for(250, slot)
    cast("Any", slot.child).serving = True
    board(slot).held = 1  # loads another model at its first claim
    scaled.look_for(250, slot)
    board(slot).begin(["a"])
    board(slot).end()
    board(slot).held = 0
    scaled.look(slot)
    assert scaled.scaling.load_time_s == pytest.approx(500, abs=2)
    assert scaled.look_for(TO_ZERO_AFTER_LOADS * 500 - 10, slot) == 1
    assert scaled.look_for(20, slot) == 0


def test_time_without_redis_does_not_count(make_slot: MakeSlot) -> None:
    """Nobody could ask; whoever wants to does so now."""
    scaled = Scaled()
    slot = make_slot()
    scaled.look_for(TO_ZERO_AFTER_S / 2, slot)
    scaled.is_away = True
    scaled.now_s += TO_ZERO_AFTER_S
    with pytest.raises(UnavailableError):
        scaled.look(slot)
    scaled.is_away = False
    assert scaled.look(slot) == 1
    assert scaled.look_for(TO_ZERO_AFTER_S / 2 - MOST_UNSEEN_S - 5, slot) == 1
    assert scaled.look_for(MOST_UNSEEN_S + 10, slot) == 0


def test_never_fewer_than_the_least(make_slot: MakeSlot) -> None:
    """Which are there from the beginning."""
    scaled = Scaled(2, 4)
    assert scaled.scaling.first == 2
    assert scaled.look_for(3 * TO_ZERO_AFTER_S, make_slot(), make_slot()) == 2


def test_who_goes_first(make_slot: MakeSlot) -> None:
    """What is about to start, what starts, the younger of the idle, and last who is at work."""
    waiting, busy, young = Slot(), make_slot(held=2, started_s=9.0), make_slot(started_s=8.0)
    old, starting = make_slot(started_s=1.0), make_slot(serving=False, started_s=5.0)
    running = make_slot(started_s=0.0)
    board(running).begin(["a"])
    slots = [busy, young, old, running, starting, waiting]
    assert leavers(slots, 6) == [waiting, starting, young, old, running, busy]
    assert leavers(slots, 2) == [waiting, starting]
    assert leavers(slots, -3) == []


class Told(Supervisor):
    """A supervisor of up to three processes that is told how many there are to be."""

    def __init__(self, make_slot: MakeSlot) -> None:
        settings = Settings(processes=Range(0, 3))
        manager = cast("Any", FakeManager())
        manager.load = lambda _names: []
        super().__init__(settings, Registry({**TYPES}), manager)
        self.number = 0
        self._scaling = cast("Any", SimpleNamespace(look=lambda _slots: self.number))
        self._make_slot = make_slot
        self.let_end: list[Child] = []

    def _start(self, slot: Slot) -> Child:
        child = self._make_slot().child
        assert child is not None
        cast("Any", child).exit_code = None
        cast("Any", child).killed = None
        return child

    def _let_end(self, child: Child) -> None:
        self.let_end.append(child)

    def _on_exit(self, slot: Slot, child: Child, code: int) -> None:
        slot.child = None


def test_there_are_never_more_than_the_most(make_slot: MakeSlot) -> None:
    """Those that are about to end count: their models are in memory until they have."""
    supervisor = Told(make_slot)
    for number, expected in ((3, 3), (1, 3), (3, 3)):
        supervisor.number = number
        for _ in range(2):
            supervisor.run_once()
        assert len(supervisor.children) == expected
    assert len(supervisor.let_end) == 2
    cast("Any", supervisor.let_end[0]).exit_code = 0
    for _ in range(2):
        supervisor.run_once()
    assert len(supervisor.children) == 3
    assert supervisor.let_end[0] not in supervisor.children


def test_who_is_about_to_end_takes_no_suspects(make_slot: MakeSlot) -> None:
    """It claims nothing any more, so they would wait for as long as it runs."""
    supervisor = Told(make_slot)
    supervisor.number = 2
    for _ in range(2):
        supervisor.run_once()
    (taker,) = [child for child in supervisor.children if child.board.takes_suspects]
    (other,) = [child for child in supervisor.children if child is not taker]
    other.board.held = 1
    supervisor.number = 1
    for _ in range(2):
        supervisor.run_once()
    assert supervisor.let_end == [taker]
    assert other.board.takes_suspects


def test_where_one_cannot_start_no_more_are_tried(make_slot: MakeSlot) -> None:
    """The device's memory may be full."""
    supervisor = Told(make_slot)
    supervisor.number = 1
    for _ in range(2):
        supervisor.run_once()
    (slot,) = supervisor._slots
    (child,) = supervisor.children
    slot.failed_to_start, child.serving = True, False
    supervisor.number = 3
    for _ in range(2):
        supervisor.run_once()
    assert len(supervisor.children) == 1
    child.serving = True
    for _ in range(2):
        supervisor.run_once()
    assert len(supervisor.children) == 3
