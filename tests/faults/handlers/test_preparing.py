"""Inputs that cannot be prepared or priced fail by themselves; whoever else asks is answered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.handlers.misbehaving_tasks import COSTS, PREPARED
from tests.faults.handlers.test_misbehaving import Misbehaving, Start, start_one
from tests.helpers import wait_until

__all__ = ["start_one"]

TYPE = "misbehaving-preparing"
RAISED = ("raise", "raise SystemExit", "raise KeyboardInterrupt", "raise GeneratorExit")


@pytest.fixture
def running(start_one: Start) -> Misbehaving:
    """One worker process, so that whoever harms it harms all."""
    system = start_one("distributed", processes=1)
    system.answer(of=TYPE, n=1)  # loaded, so that the next are prepared ahead
    return system


def codes_and_details(running: Misbehaving, dos: list[str]) -> dict[str, tuple[str, str]]:
    """How each input fails."""
    got: dict[str, tuple[str, str]] = {}

    def all_done() -> bool:
        answers = running.ask(*({"do": do} for do in dos), of=TYPE)
        for do, each in zip(dos, answers, strict=True):
            if each["done"]:
                got[do] = (each["error"]["code"], each["error"]["detail"])
        return len(got) == len(dos)

    wait_until(all_done, description="all are answered", timeout_s=60)
    return got


def assert_others_are_answered(running: Misbehaving) -> None:
    """Of this type and of another."""
    assert running.answer(of=TYPE, n=7)["square"] == 49
    assert running.answer(n=8)["square"] == 64


def test_costs_that_are_none(running: Misbehaving) -> None:
    """The failure says what `cost` gave, or raised, and what it must give."""
    dos = [*COSTS, "cost an error", "cost an exit"]
    found = codes_and_details(running, dos)
    for do in COSTS:
        code, detail = found[do]
        assert code == "task-failed"
        assert f"{TYPE}.cost gave " in detail, detail
        assert "must give a number from 0 to" in detail, detail
    assert found["cost an error"] == ("task-failed", "ValueError: it is priceless")
    assert found["cost an exit"] == ("task-failed", "SystemExit: 3")
    assert_others_are_answered(running)
    assert "Traceback" not in running.worker_log()


def test_whatever_prepare_raises_or_gives(running: Misbehaving) -> None:
    """Also what is meant to end a process, and what never ends; in the same process as before."""
    (before,) = set(running.running("answer")) or {0}
    for do in (*RAISED, *PREPARED):
        code, detail = codes_and_details(running, [do])[do]
        assert code == "task-failed", detail
        if do in PREPARED:
            assert f"{TYPE}.prepare gave " in detail
    assert_others_are_answered(running)
    log = running.worker_log()
    assert "Traceback" not in log
    assert f"worker process {before} " not in log


@pytest.mark.parametrize("do", ["answer", "cost an eternity"])
def test_preparing_without_end_is_bounded(do: str, running: Misbehaving) -> None:
    """As a run without end is; its mates and the other types are answered.

    What never says its cost is answered, too: tried again alone, nobody asks for its cost.
    """
    asks: list[dict[str, Any]] = [{"do": do, "seconds": 600}, *({"n": n} for n in range(2, 6))]
    running.ask(*asks, of=TYPE)
    assert running.answer(n=8)["square"] == 64
    first, *others = [running.answer(of=TYPE, **ask) for ask in asks]
    assert first["square"] == 0 if do != "answer" else first["error"]["code"] == "timed-out", first
    assert [each["square"] for each in others] == [4, 9, 16, 25]
    assert "it prepared inputs for longer than 3 s" in running.worker_log()


@pytest.mark.parametrize("do", ["exit", "exit 3"])
def test_preparing_that_kills_its_process(do: str, running: Misbehaving) -> None:
    """It fails as crashed after its last attempt; its mates are answered. Its exit code is not
    taken for the worker's own word."""
    asks: list[dict[str, Any]] = [{"do": do}, *({"n": n} for n in range(2, 6))]
    running.ask(*asks, of=TYPE)
    answers = [running.answer(of=TYPE, **ask) for ask in asks]
    assert answers[0]["error"]["code"] == "crashed", answers[0]
    assert [each["square"] for each in answers[1:]] == [4, 9, 16, 25]
    assert_others_are_answered(running)
