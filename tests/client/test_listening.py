"""Progress shows while a task runs, with everything as it is by default, and costs no time."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from doneyet.client import Client
from doneyet.client.retry import FIRST_PAUSE_S, Backoff
from doneyet.local.system import System
from tests.client.conftest import MakeClient, MakeStub
from tests.client.stub_server import Asked, Says, done, in_turn, pending
from tests.stopwatch import Stopwatch


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A real worker, whose task takes ten steps in 3 s."""
    with System(
        processes=1, settings={"DONEYET_TASKS": "factorization,tests.client.slow_tasks"}
    ) as running:
        yield running


def test_who_listens_hears_steps(system: System) -> None:
    """About one a second; the answer comes as soon as it is there."""
    heard: list[Any] = []
    with Client(system.url) as client:
        answer = client.run("steps", number=1, on_pending=heard.append)
        came_at = time.time()
        finished_at = client.task(answer["id"])["finished_at"]
    assert answer["double"] == 2
    steps = [each["progress"]["message"] for each in heard if each.get("progress")]
    assert len(set(steps)) >= 2
    assert len(heard) >= 3
    assert all(item["done"] is False for item in heard)
    assert came_at - seconds(finished_at) < 0.9  # a second would be a pause that was slept through


def test_a_terminal_shows_steps(system: System) -> None:
    """On standard error; the answer alone is on standard output."""
    ours, theirs = pty.openpty()
    shown = bytearray()

    def read() -> None:
        while True:
            try:
                shown.extend(os.read(ours, 10_000))
            except OSError:  # the other side has ended
                return

    reading = threading.Thread(target=read)
    reading.start()
    command = [sys.executable, "-m", "doneyet.client", "--url", system.url, "steps", "number=2"]
    ended = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        check=False,
    )
    os.close(theirs)
    reading.join(10)
    os.close(ours)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["double"] == 4
    told = {step for step in range(10) if f"step {step}".encode() in shown}
    assert len(told) >= 2, shown


def test_a_map_moves_while_inputs_are_slow(stub: MakeStub, client_of: MakeClient) -> None:
    """Where its progress is shown, no request is held for long."""
    says = [Says(200, [pending(1)])] * 5
    server = stub(in_turn(*says, Says(200, [done(1)])))
    client_of(server).map("double", [{"number": 1}], progress=True)
    assert {asked.headers.get("Prefer") for asked in server.asked} == {"wait=1", "wait=2"}


def test_the_first_news_is_at_once(stub: MakeStub, client_of: MakeClient) -> None:
    """Then requests are held for a second each; who does not listen asks as ever."""
    server = stub(in_turn(*[Says(202, pending(1))] * 3, Says(200, done(1))))
    client_of(server).run("double", number=1, on_pending=lambda _: None)
    held = [asked.headers.get("Prefer") for asked in server.asked]
    assert held == [None, "wait=1", "wait=1", "wait=1"]
    silent = stub(in_turn(Says(202, pending(1)), Says(200, done(1))))
    client_of(silent).run("double", number=1)
    assert [asked.headers.get("Prefer") for asked in silent.asked] == ["wait=20"] * 2


def test_no_pause_after_a_request_that_was_held(stub: MakeStub, client_of: MakeClient) -> None:
    """Whatever `Retry-After` says: an answer that came in a pause would come late."""
    assert Backoff().after(1.0, 1.0, 1.0) == 0.0
    assert Backoff().after(0.9, 1.0, 30.0) == 0.0
    assert Backoff().after(0.01, 1.0, 1.0) >= 0.9
    assert Backoff().after(0.01, 0.0, None) <= FIRST_PAUSE_S

    def hold(asked: Asked) -> Says:
        held.append(asked.headers.get("Prefer"))
        if held[-1] and len(held) < 4:
            time.sleep(1.0)
        answer = done(1) if len(held) == 4 else pending(1)
        return Says(200 if len(held) == 4 else 202, answer, {"Retry-After": "30"})

    held: list[str | None] = []
    watch = Stopwatch()
    client_of(stub(hold)).run("double", number=1, on_pending=lambda _: None)
    assert watch.within_s(20), watch


def seconds(moment: Any) -> float:
    """A time of the API as Unix seconds."""
    import datetime as dt

    if isinstance(moment, (int, float)):
        return float(moment)
    return dt.datetime.fromisoformat(str(moment)).timestamp()
