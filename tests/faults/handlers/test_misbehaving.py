"""Handlers that misbehave: whoever else asked is answered soon, and nothing is left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from doneyet.local.system import System
from tests.faults.handlers import misbehaving_tasks
from tests.faults.handlers.misbehaving_tasks import FOLDER
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch

SOON_S = 5.0
"""In which whoever is innocent is answered, whatever waits beside."""

Ask = dict[str, Any]


class Misbehaving:
    """A system with the misbehaving task types, and what they noted."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system, self._folder = system, folder

    def ask(self, *asks: Ask, of: str = "misbehaving", wait_s: float = 0) -> list[Any]:
        """Submits all at once; their answers so far."""
        reply = requests.post(
            f"{self.system.url}/{of}",
            json=asks,
            headers={"Prefer": f"wait={wait_s:g}"} if wait_s else {},
            timeout=60,
        )
        assert reply.status_code == 200, reply.text
        answers: list[Any] = reply.json()
        return answers

    def answer(self, timeout_s: float = 30.0, of: str = "misbehaving", **ask: Any) -> Any:
        """Polls until there is an answer."""
        return wait_until(
            lambda: (got := self.ask(ask, of=of, wait_s=1))[0]["done"] and got[0],
            description=f"{ask} is answered",
            timeout_s=timeout_s,
        )

    def assert_answered_soon(self, **ask: Any) -> None:
        """Whoever asks for something innocent now waits no longer than is promised."""
        watch = Stopwatch()
        assert self.answer(timeout_s=60, **ask)["square"] == ask["n"] ** 2
        assert watch.within_s(SOON_S), watch

    def running(self, do: str) -> list[int]:
        """The processes that began to run an input that does so."""
        return [int(pid) for did, _, pid in self._lines("runs") if did == do.replace(" ", "-")]

    def processes_by_input(self, do: str) -> dict[str, list[int]]:
        """The processes that began to run each input that does so, by its `n`."""
        found: dict[str, list[int]] = {}
        for did, n, pid in self._lines("runs"):
            if did == do.replace(" ", "-"):
                found.setdefault(n, []).append(int(pid))
        return found

    def wait_until_running(self, do: str, times: int = 1) -> int:
        """The process that began last."""
        return wait_until(
            lambda: len(found := self.running(do)) >= times and found[-1],
            description=f"{do!r} runs",
            timeout_s=20,
        )

    def children(self) -> list[int]:
        """What handlers started."""
        return [int(pid) for (pid,) in self._lines("children")]

    def wait_for_children(self, count: int) -> list[int]:
        """What handlers started, once there are so many."""
        return wait_until(
            lambda: found if len(found := self.children()) >= count else [],
            description=f"{count} processes were started",
            timeout_s=20,
        )

    def load(self, of: str = "misbehaving") -> dict[str, int]:
        """Waiting and running tasks."""
        reply = requests.get(f"{self.system.url}/load/{of}", timeout=10).json()
        return {name: reply[name] for name in ("waiting", "running")}

    def worker_log(self) -> str:
        """What the worker has said."""
        assert self.system.worker is not None
        assert self.system.worker._log is not None
        self.system.worker._log.seek(0)
        return self.system.worker._log.read().decode(errors="replace")

    def _lines(self, file: str) -> list[list[str]]:
        path = self._folder / file
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


Start = Callable[..., Misbehaving]


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_until_ended(*pids: int) -> None:
    """Returns when none of the processes is left."""
    wait_until(lambda: not any(map(is_alive, pids)), description=f"{pids} have ended", timeout_s=20)


@pytest.fixture
def start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a system of one queue mode; at the end of the test nothing of it may be left."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with ExitStack() as stack:

        def start(
            mode: str, processes: int = 2, grace_s: float = 2, **settings: str
        ) -> Misbehaving:
            system = System(
                queue_mode=mode,
                processes=processes,
                settings={
                    "DONEYET_TASKS": misbehaving_tasks.__name__,
                    "DONEYET_LEASE_S": "2",
                    "DONEYET_LOG_LEVEL": "info",
                    **settings,
                },
                grace_s=grace_s,
            )
            stack.enter_context(system)
            return Misbehaving(system, tmp_path)

        yield start


@pytest.fixture(params=["random", "distributed", "ordered"])
def start(request: pytest.FixtureRequest, start_one: Start) -> Start:
    """Starts a system of each queue mode in which worker processes are supervised."""
    return lambda *arguments, **settings: start_one(request.param, *arguments, **settings)


def test_innocent_beside_five_inputs_that_kill_their_process(start: Start) -> None:
    """Each of the five is tried as often as may be, apart from the others, and fails saying so."""
    running = start(processes=2, DONEYET_MAX_ATTEMPTS="2")
    ways = ("exit", "segfault", "kill", "overflow the stack", "exit")
    deadly: list[Ask] = [{"do": do, "n": n} for n, do in enumerate(ways)]
    running.ask(*deadly)
    running.assert_answered_soon(n=7)
    running.assert_answered_soon(n=8)
    for each in deadly:
        assert running.answer(**each)["error"]["code"] == "crashed"
    assert sum(len(running.running(do)) for do in set(ways)) == 10


def test_innocent_where_there_is_one_process(start: Start) -> None:
    """It waits for first attempts at most, never for those that are repeated."""
    running = start(processes=1)
    running.ask(*[{"do": "exit", "n": n} for n in range(5)])
    running.wait_until_running("exit", times=6)  # from now on, only suspects are tried
    for n in range(10, 13):
        before = len(running.running("exit"))
        assert running.answer(timeout_s=60, n=n)["square"] == n**2
        assert len(running.running("exit")) <= before + 2, "it waits for one restart, not for many"
    for n in range(5):
        assert running.answer(do="exit", n=n)["error"]["code"] == "crashed"


def test_innocent_batch_mates_of_the_deadly(start: Start) -> None:
    """They are retried one by one, each innocent one is answered, and nobody waits for long."""
    running = start(processes=2)
    asks: list[Ask] = [{"do": "exit", "n": n} if n % 8 == 0 else {"n": n} for n in range(40)]
    running.ask(*asks, of="misbehaving-batched")
    running.assert_answered_soon(n=77, of="misbehaving-batched")
    for ask in asks:
        answer = running.answer(of="misbehaving-batched", **ask)
        if "do" in ask:
            assert answer["error"]["code"] == "crashed"
        else:
            assert answer["square"] == ask["n"] ** 2


@pytest.mark.parametrize("do", ["hold", "stop"])
def test_innocent_beside_one_that_does_not_let_go(do: str, start: Start) -> None:
    """What was claimed with it runs elsewhere; only what had run unstored runs again."""
    running = start(processes=2)
    warm = [{"n": n} for n in range(2000)]  # so that claims have grown
    running.ask(*warm)
    wait_until(
        lambda: all(each["done"] for each in running.ask(*warm, wait_s=1)),
        description="claims have grown",
        timeout_s=30,
    )
    mates = [{"n": n} for n in range(5000, 5300)]
    held: Ask = {"do": do, "seconds": 12.0}
    running.ask(held, *mates)
    try:
        wait_until(
            lambda: all(each["done"] for each in running.ask(*mates, wait_s=1)),
            description="the others are answered",
            timeout_s=15,
        )
        running.assert_answered_soon(n=7777)
        assert running.load() == {"waiting": 0, "running": 1}
    finally:
        if do == "stop":
            os.kill(running.wait_until_running("stop"), signal.SIGCONT)
    assert running.answer(timeout_s=40, **held)["square"] == 0
    assert len(running.running(do)) == 1
    (stuck,) = running.running(do)
    for n, pids in running.processes_by_input("answer").items():
        if len(pids) > 1:  # it had run, and its result was not stored
            assert len(pids) == 2, n
            assert stuck in pids, n
