"""Inputs that end their process with an exit code by which a process of ours says something."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.faults.handlers.test_misbehaving import Misbehaving, Start, start_one
from tests.helpers import wait_until

__all__ = ["start_one"]

MODES = ["random", "distributed", "ordered", "rq"]


def wait_for_exits(running: Misbehaving, count: int) -> None:
    """Returns when the log tells of so many processes that exited with 3."""
    wait_until(
        lambda: running.worker_log().count("exited with 3") >= count,
        description="the log says how they ended",
    )


@pytest.mark.parametrize("mode", MODES)
def test_an_input_cannot_say_that_a_type_is_not_loaded(mode: str, start_one: Start) -> None:
    """It fails as crashed, its processes are replaced, and the next input is answered."""
    running = start_one(mode, processes=1, DONEYET_MAX_ATTEMPTS="2")
    assert running.answer(do="exit 3")["error"]["code"] == "crashed"
    assert running.answer(n=7)["square"] == 49
    assert len(set(running.running("exit 3"))) == 2
    wait_for_exits(running, 2)
    running.system.check()


@pytest.mark.parametrize("mode", ["distributed", "rq"])
def test_what_it_left_behind_cannot_either(mode: str, start_one: Start) -> None:
    """A thread that ends the process once the input is answered, and nothing runs."""
    running = start_one(mode, processes=1)
    assert running.answer(do="exit 3 later", n=3)["square"] == 9
    wait_for_exits(running, 1)
    assert running.answer(n=7)["square"] == 49
    running.system.check()


def test_an_input_cannot_say_that_its_process_is_broken(start_one: Start) -> None:
    """What was claimed with it and had not begun is as innocent as beside any other exit code."""
    running = start_one("distributed", processes=1, DONEYET_MAX_ATTEMPTS="2")
    warm: list[dict[str, Any]] = [{"n": n} for n in range(2000)]  # so that claims have grown
    running.ask(*warm)
    wait_until(
        lambda: all(each["done"] for each in running.ask(*warm)),
        description="claims have grown",
    )
    others: list[dict[str, Any]] = [{"n": n} for n in range(5000, 5040)]
    running.ask(*others[:20], {"do": "exit 70"}, *others[20:])
    assert running.answer(do="exit 70")["error"]["code"] == "crashed"
    answers = [running.answer(**each) for each in others]
    assert [each["square"] for each in answers] == [each["n"] ** 2 for each in others]
    tasks = f"{running.system.url}/tasks"
    told = [requests.get(f"{tasks}/{each['id']}", timeout=10).json() for each in answers]
    assert {each["attempts"] for each in told} == {1}
