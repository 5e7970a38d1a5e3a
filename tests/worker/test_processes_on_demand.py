"""`--processes 0..2`: as many processes as there is work for, and none lost on the way."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.health import worker_trouble
from doneyet.local.embedded_redis import EmbeddedRedis
from doneyet.process_range import Range
from doneyet.settings import Settings
from task_manager.values import State
from tests.helpers import wait_until
from tests.stopwatch import Stopwatch
from tests.worker.conftest import StartWorker
from tests.worker.heavy_tasks import LOAD_S, loads
from tests.worker.running_worker import Asker, RunningWorker

StartHurried = Callable[..., RunningWorker]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Two types, one of them heavy; leases that outlast a moment of a busy machine."""
    return dataclasses.replace(
        settings, tasks="tests.worker.heavy_tasks", lease_s=5.0, processes=Range(0, 2)
    )


@pytest.fixture
def start(settings: Settings, start_worker: StartWorker) -> StartHurried:
    """Starts a worker whose processes go after seconds, with settings that differ as told."""

    def start_one(**changed: Any) -> RunningWorker:
        chosen = dataclasses.replace(settings, **changed)
        return start_worker(settings=chosen, module="tests.worker.hurried_worker")

    return start_one


def workers(asker: Asker, name: str = "heavy") -> int:
    """How many are told to serve a type."""
    return asker.manager.load([name])[0].workers


def wait_until_none(worker: RunningWorker) -> None:
    """Returns when all processes have gone."""
    wait_until(lambda: worker.processes() == [], description="none is left", timeout_s=90)


def let_pass(duration_s: float) -> None:
    """Lets time pass, where its passing is what is tested."""
    over_s = time.monotonic() + duration_s
    wait_until(lambda: time.monotonic() > over_s, description="time passes")


class Watch:
    """Looks all the time how few workers are told to serve a type."""

    def __init__(self, settings: Settings) -> None:
        self.fewest = 1 << 30
        self._asker = Asker(settings)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.005):
            self.fewest = min(self.fewest, workers(self._asker))

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._asker.close()


@pytest.fixture(params=["random", "distributed", "ordered"])
def queue_mode(request: pytest.FixtureRequest) -> str:
    """Those whose workers choose."""
    return str(request.param)


def test_processes_come_when_asked_and_go_when_nobody_asks(
    queue_mode: str, settings: Settings, tmp_path: Path, start: StartHurried
) -> None:
    """Meanwhile the type always has a worker, and the machine a healthy one."""
    settings = dataclasses.replace(settings, queue_mode=queue_mode)
    asker = Asker(settings)
    worker = start(queue_mode=queue_mode)
    assert "0..2 worker processes serve heavy, light" in worker.log()
    assert (worker.processes(), loads(tmp_path)) == ([], 0)
    with Watch(settings) as watch:
        assert worker_trouble(settings) == ""
        assert asker.answers("light", "a") == [{"key": "a", "answer": "A"}]
        wait_until_none(worker)
        wait_until(lambda: workers(asker) == 1, description="the stand-in is the only one")
        assert worker_trouble(settings) == ""
        assert asker.answers("light", "b") == [{"key": "b", "answer": "B"}]
    assert watch.fewest == 1
    assert loads(tmp_path) == 2
    assert worker.stop() == 0
    assert workers(asker) == 0
    assert "WARNING" not in worker.log()
    asker.close()


def test_many_that_wait_bring_the_most_and_no_more(
    tmp_path: Path, asker: Asker, start: StartHurried
) -> None:
    """Each is answered once, whichever processes come and go meanwhile."""
    worker = start()
    keys = [f"k{n}-0.05" for n in range(100)]
    asker.ask("heavy", *keys)
    wait_until(lambda: len(worker.processes()) == 2, description="there are two")
    assert len(asker.answers("heavy", *keys, timeout_s=60)) == 100
    assert loads(tmp_path) == 2
    wait_until(lambda: len(worker.processes()) == 1, description="one goes", timeout_s=60)
    wait_until_none(worker)
    assert "handed back" not in worker.log()


def test_what_runs_for_long_is_never_ended(asker: Asker, start: StartHurried) -> None:
    """Longer than a process stays without tasks; it goes afterwards."""
    worker = start()
    (answer,) = asker.answers("heavy", "k-10", timeout_s=60)
    assert answer["answer"] == "K-10"
    status = asker.ask("heavy", "k-10")[0]
    assert status.attempts == 1
    wait_until_none(worker)


def test_the_least_stays(asker: Asker, start: StartHurried) -> None:
    """`1..2` begins with one, which nothing ends."""
    worker = start(processes=Range(1, 2))
    (pid,) = worker.processes()
    keys = [f"k{n}-0.1" for n in range(40)]
    asker.ask("heavy", *keys)
    wait_until(lambda: len(worker.processes()) == 2, description="there are two")
    asker.answers("heavy", *keys, timeout_s=60)
    wait_until(lambda: worker.processes() == [pid], description="the older stays", timeout_s=60)
    wait_until(lambda: workers(asker) == 1, description="the other is forgotten")


def test_who_asks_while_the_last_process_goes_is_answered(
    tmp_path: Path, asker: Asker, start: StartHurried
) -> None:
    """By that one, or by the next after one load."""
    worker = start()
    asker.answers("heavy", "k-0")
    for turn in range(1, 4):
        wait_until(
            lambda turn=turn: worker.log().count("0 of at most 2") == turn,  # type: ignore[misc]
            description="it is told to go",
        )
        watch = Stopwatch()
        asker.answers("heavy", f"k{turn}-0")
        assert watch.within_s(LOAD_S + 2.5), watch
    assert loads(tmp_path) <= 4
    wait_until_none(worker)


def test_what_is_paused_starts_nothing(asker: Asker, start: StartHurried) -> None:
    """Until it is resumed."""
    worker = start()
    asker.manager.pause("heavy", paused=True)
    asker.ask("heavy", "k-0")
    asker.answers("light", "a")  # a look later
    wait_until_none(worker)
    assert asker.ask("heavy", "k-0")[0].state is State.WAITING
    asker.manager.pause("heavy", paused=False)
    assert asker.answers("heavy", "k-0") == [{"key": "k-0", "answer": "K-0"}]


def test_quick_tasks_keep_a_process(asker: Asker, start: StartHurried) -> None:
    """Also where no look ever meets one that runs."""
    worker = start()
    asker.answers("light", "first")
    pids = worker.processes()
    for n in range(25):  # longer than a process stays without tasks
        asker.answers("light", f"k{n}")
        let_pass(0.4)
    assert worker.processes() == pids


def test_models_may_be_loaded_at_the_first_claim(
    tmp_path: Path, asker: Asker, start: StartHurried
) -> None:
    """Of the heavy type alone where it is asked for."""
    worker = start(load_models="at-first-claim")
    asker.answers("light", "a")
    assert loads(tmp_path) == 0
    assert asker.answers("heavy", "k-0") == [{"key": "k-0", "answer": "K-0"}]
    wait_until_none(worker)
    assert asker.answers("heavy", "l-0") == [{"key": "l-0", "answer": "L-0"}]
    assert loads(tmp_path) == 2


def test_processes_take_turns_on_a_device(asker: Asker, start: StartHurried) -> None:
    """The lock of one that went is free."""
    worker = start(lock="gpu")
    keys = [f"k{n}-0.01" for n in range(40)]
    assert len(asker.answers("heavy", *keys)) == 40
    wait_until_none(worker)
    assert asker.answers("heavy", "k-0") == [{"key": "k-0", "answer": "K-0"}]


def test_a_stop_while_a_process_starts(tmp_path: Path, asker: Asker, start: StartHurried) -> None:
    """Its models may take minutes; what waits is for another worker."""
    (tmp_path / "stuck").touch()
    worker = start()
    asker.ask("heavy", "k-0")
    wait_until(lambda: loads(tmp_path) == 1, description="it loads")
    assert workers(asker) == 1
    assert worker.stop() == 0
    assert (workers(asker), asker.state("heavy", "k-0")) == (0, State.WAITING)
    (tmp_path / "stuck").unlink()
    start()
    assert asker.answers("heavy", "k-0") == [{"key": "k-0", "answer": "K-0"}]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [("broken", "cannot be loaded: OSError"), ("deadly", "not all its processes can serve")],
)
def test_a_model_that_nobody_could_load_yet_ends_the_worker(
    fault: str, sentence: str, tmp_path: Path, asker: Asker, start: StartHurried
) -> None:
    """As at the start of a worker with a number of processes; whoever started it is told."""
    (tmp_path / fault).touch()
    worker = start()
    asker.ask("heavy", "k-0")
    assert worker.program.wait(30) == 1
    assert sentence in worker.log()
    assert (workers(asker), asker.state("heavy", "k-0")) == (0, State.WAITING)


@pytest.mark.parametrize("fault", ["broken", "deadly"])
def test_a_model_that_cannot_be_loaded_any_more_has_no_worker(
    fault: str, tmp_path: Path, settings: Settings, asker: Asker, start: StartHurried
) -> None:
    """While that lasts; it is tried again, and what waits is answered then."""
    worker = start()
    asker.answers("heavy", "k-0")
    wait_until_none(worker)
    (tmp_path / fault).touch()
    asker.ask("heavy", "l-0")
    wait_until(lambda: loads(tmp_path) > 2, description="it is tried again")
    wait_until(lambda: workers(asker) == 0, description="nobody is told to serve it")
    assert "no worker process" in worker_trouble(settings)
    assert loads(tmp_path) < 8, "less and less often"
    (tmp_path / fault).unlink()
    assert asker.answers("heavy", "l-0", timeout_s=60) == [{"key": "l-0", "answer": "L-0"}]
    assert workers(asker) == 1


def test_a_process_that_dies_has_a_stand_in(
    tmp_path: Path, asker: Asker, settings: Settings, start: StartHurried
) -> None:
    """Its task runs again in the next one."""
    worker = start()
    asker.ask("heavy", "k-2")
    asker.wait_for_state("heavy", "k-2", State.RUNNING)
    (pid,) = worker.processes()
    with Watch(settings) as watch:
        os.kill(pid, signal.SIGKILL)
        assert asker.answers("heavy", "k-2") == [{"key": "k-2", "answer": "K-2"}]
    assert watch.fewest == 1
    assert loads(tmp_path) == 2


def test_dead_owners_elsewhere_are_found_without_processes(
    asker: Asker, start: StartHurried
) -> None:
    """What they held brings a process, which runs it."""
    worker = start()
    asker.ask("heavy", "k-0")
    asker.manager.renew({"elsewhere-1-a": ["heavy"]}, 0.3)
    asker.manager.claim("elsewhere-1-a", ["heavy"], 1)
    assert asker.answers("heavy", "k-0") == [{"key": "k-0", "answer": "K-0"}]
    assert "the lease of elsewhere-1-a is over" in worker.log()


def test_an_outage_of_redis_neither_starts_nor_ends_processes(
    tmp_path: Path, settings: Settings, own_redis: EmbeddedRedis, start: StartHurried
) -> None:
    """It is as long as half a day of the policy's clock; nobody could ask meanwhile."""
    with own_redis:
        asker = Asker(dataclasses.replace(settings, redis_url=own_redis.url))
        worker = start(redis_url=own_redis.url)
        asker.answers("heavy", "k-0")
        pids = worker.processes()
        own_redis.kill()
        wait_until(lambda: "is away" in worker.log(), description="it notices")
        let_pass(8)
        own_redis.start()
        wait_until(lambda: "is back" in worker.log(), description="it notices")
        assert worker.processes() == pids
        assert asker.answers("heavy", "l-0") == [{"key": "l-0", "answer": "L-0"}]
        assert loads(tmp_path) == 1
        wait_until_none(worker)
        own_redis.kill()
        wait_until(lambda: worker.log().count("is away") == 2, description="it notices")
        own_redis.start()
        wait_until(lambda: workers(asker) == 1, description="it is registered again")
        assert worker.processes() == []
        assert asker.answers("heavy", "m-0") == [{"key": "m-0", "answer": "M-0"}]
        asker.close()


@pytest.fixture
def own_redis() -> EmbeddedRedis:
    """One for this test alone, to be broken."""
    return EmbeddedRedis()
