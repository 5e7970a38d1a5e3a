"""Handlers that raise, return, report or leave behind what they should not."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
import requests

from tests.faults.handlers.misbehaving_tasks import OUTPUTS, REPORTS, WHOLES
from tests.faults.handlers.test_misbehaving import (
    Misbehaving,
    Start,
    is_alive,
    start_one,
    wait_until_ended,
)
from tests.helpers import wait_until

__all__ = ["start_one"]

RAISED = {
    "raise": "ValueError: it is raised on request",
    "raise unprintable": (
        "UnprintableError: its message cannot be had, since that raises ValueError"
    ),
    "raise unpicklable": "UnpicklableError: it holds a lock",
    "raise SystemExit": "SystemExit: 3",
    "raise KeyboardInterrupt": "KeyboardInterrupt: ",
    "raise GeneratorExit": "GeneratorExit: ",
    "raise surrogates": "ValueError: half a ? character",
}


@pytest.fixture
def running(start_one: Start) -> Misbehaving:
    """One worker process, so that whoever harms it harms all."""
    return start_one("distributed", processes=1)


def all_answers(running: Misbehaving, asks: list[dict[str, Any]], of: str) -> list[Any]:
    """Polls until all are answered."""
    got: list[Any] = []

    def all_done() -> bool:
        got[:] = running.ask(*asks, of=of)
        return all(each["done"] for each in got)

    wait_until(all_done, description="all are answered", timeout_s=60)
    return got


def test_whatever_is_raised_fails_its_own_input(running: Misbehaving) -> None:
    """Also what is meant to end a process, or cannot be printed; its company is answered, by the
    same process; the log says which task, and how."""
    asks = [{"do": do} for do in RAISED]
    company = [{"n": n} for n in range(1, 8)]
    answers = all_answers(running, asks + company, "misbehaving-batched")
    for (do, detail), answer in zip(RAISED.items(), answers, strict=False):
        assert answer["error"] == {"code": "task-failed", "detail": detail}, do
    assert [each["square"] for each in answers[len(asks) :]] == [n**2 for n in range(1, 8)]
    assert len({pid for do in [*RAISED, "answer"] for pid in running.running(do)}) == 1
    log = running.worker_log()
    for answer in answers[: len(asks)]:
        assert f"task={answer['id']} type=misbehaving-batched failed: " in log


def test_a_long_message_is_cut_in_the_answer_and_in_the_log(running: Misbehaving) -> None:
    """Fifty megabytes are no message."""
    answer = running.answer(do="raise at length", n=50_000_000)
    assert len(answer["error"]["detail"]) == 2000
    assert "characters ...]" in running.worker_log()
    assert len(running.worker_log()) < 30_000


def test_outputs_that_are_none(running: Misbehaving) -> None:
    """Each fails as what it is, and harms nobody in its batch."""
    asks = [{"do": do} for do in OUTPUTS]
    company = [{"n": n} for n in range(1, 4)]
    answers = all_answers(running, asks + company, "misbehaving-batched")
    codes = {ask["do"]: answer["error"]["code"] for ask, answer in zip(asks, answers, strict=False)}
    assert codes.pop("base exception") == "task-failed"
    assert set(codes.values()) == {"invalid-output"}, codes
    assert [each["square"] for each in answers[len(asks) :]] == [1, 4, 9]


def test_results_that_are_none(running: Misbehaving) -> None:
    """`run` may return any iterable of as many results; anything else fails in words."""
    for do in WHOLES:
        answer = running.answer(do=do, n=2)
        if do == "return a generator":
            assert answer["square"] == 4
        else:
            assert answer["error"]["code"] == "task-failed", do
            assert "misbehaving.run gave" in answer["error"]["detail"], do


def test_progress_of_any_kind_is_shown_or_ignored(running: Misbehaving) -> None:
    """It never fails its task, and the answer is valid JSON at any time."""
    url = f"{running.system.url}/misbehaving"
    for do in REPORTS:
        seen: dict[str, Any] = {}

        def is_done(do: str = do, seen: dict[str, Any] = seen) -> bool:
            reply = requests.post(url, json={"do": do, "seconds": 0.6}, timeout=10)
            answer = json.loads(reply.text, parse_constant=pytest.fail)
            seen.update(answer.get("progress") or {})
            return bool(answer["done"]) and "square" in answer and answer["square"] == 0

        wait_until(is_done, description=f"{do} is answered", timeout_s=20)
        if do in ("report beyond", "report before", "report nowhere"):
            assert seen == {}, do
            continue
        assert 0 <= seen["fraction"] <= 1, do
        assert len(seen["message"]) <= 500, do
        assert seen["message"].isprintable(), do


@pytest.mark.parametrize(
    "do", ["close output", "change folder", "leave a thread", "take signals", "fork and return"]
)
def test_what_it_does_to_its_process(do: str, running: Misbehaving) -> None:
    """The process goes on to answer and to log, and ends when it is told to."""
    assert running.answer(do=do, seconds=60)["square"] == 0
    running.answer(do="raise")
    assert running.running("raise") == running.running(do)[:1]
    assert "it is raised on request" in running.worker_log()
    for pid in running.children():
        wait_until_ended(pid)
    assert running.system.worker is not None
    pids = running.running(do)
    running.system.worker.stop()
    wait_until_ended(*pids)


STARTS = ["spawn", "spawn a session", "spawn a daemon", "fork"]


@pytest.mark.parametrize("do", STARTS)
def test_what_it_started_ends_with_its_time(do: str, running: Misbehaving) -> None:
    """With the group, in a session of its own, as a daemon; so does what is cancelled."""
    answer = running.answer(of="misbehaving-limited", do=do, seconds=60)
    assert answer["error"]["code"] == "timed-out"
    wait_until_ended(*running.wait_for_children(1))
    (task,) = running.ask({"do": do, "seconds": 60})
    running.wait_for_children(2)
    assert requests.delete(f"{running.system.url}/tasks/{task['id']}", timeout=10).ok
    wait_until_ended(*running.children())


def test_what_it_started_ends_with_a_crash(running: Misbehaving) -> None:
    """Once for each attempt."""
    assert running.answer(do="spawn and die")["error"]["code"] == "crashed"
    assert len(running.children()) == 3
    wait_until_ended(*running.children())


@pytest.mark.parametrize("do", STARTS)
def test_what_it_started_ends_with_the_worker(do: str, running: Misbehaving) -> None:
    """After an orderly end, too, where the handler itself had returned long ago."""
    running.answer(do=do)
    (pid,) = running.wait_for_children(1)
    assert is_alive(pid), "it may stay while its process does"
    assert running.system.worker is not None
    running.system.worker.stop()
    wait_until_ended(pid)


@pytest.mark.parametrize("do", STARTS)
def test_what_it_started_ends_with_a_killed_supervisor(do: str, start_one: Start) -> None:
    """Its worker process sees to it before it ends, long before its grace time is over."""
    running = start_one("random", processes=1, grace_s=120)
    running.answer(do=do)
    (pid,) = running.wait_for_children(1)
    assert running.system.worker is not None
    os.kill(running.system.worker.pid, signal.SIGKILL)
    wait_until_ended(pid, *running.running(do))


def test_what_it_started_ends_with_a_killed_supervisor_and_a_hung_handler(
    running: Misbehaving,
) -> None:
    """When the grace time is over."""
    running.ask({"do": "spawn", "seconds": 60})
    (pid,) = running.wait_for_children(1)
    assert running.system.worker is not None
    os.kill(running.system.worker.pid, signal.SIGKILL)
    wait_until_ended(pid, *running.running("spawn"))


def test_deaths_and_ends_are_logged_with_the_task(running: Misbehaving) -> None:
    """Of one task its id; and never its input."""
    secret = 918_273_645
    answers = [
        running.answer(do="exit", n=secret),
        running.answer(of="misbehaving-limited", do="answer", seconds=60, n=secret),
        running.answer(do="nan", n=secret),
    ]
    log = running.worker_log()
    for answer, type_name in zip(
        answers, ("misbehaving", "misbehaving-limited", "misbehaving"), strict=True
    ):
        assert f"task={answer['id']} type={type_name}" in log
    assert str(secret) not in log
