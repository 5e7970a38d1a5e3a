"""Stock RQ workers, and those that `python -m worker --rq` keeps at work."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import redis
from rq import Worker
from rq.serializers import JSONSerializer

from doneyet.setting_values import SettingError
from doneyet.settings import Settings
from doneyet.task_types import load_registry
from task_manager.values import State, Status
from tests.helpers import wait_until
from tests.rq.conftest import RqAsker, Start
from worker.rq.supervisor import RqSupervisor

WORKER = ["-m", "worker", "--rq"]
STOCK = ["-m", "rq.cli", "worker", "--serializer", "rq.serializers.JSONSerializer", "--url"]


def told(status: Status) -> dict[str, int]:
    """What a sample task answered."""
    assert status.state is State.DONE
    answer: dict[str, int] = json.loads(status.body or b"")
    return answer


def error_code(status: Status) -> str:
    """Why a task failed."""
    assert status.state is State.FAILED
    return str(json.loads(status.body or b"")["error"]["code"])


def begun(log: Path) -> list[int]:
    """The processes that began the gated task of this file."""
    return [int(line) for line in log.read_text().split()] if log.exists() else []


@pytest.mark.parametrize("worker_class", ["rq.Worker", "rq.SimpleWorker"])
def test_a_stock_worker_answers(
    asker: RqAsker, start: Start, redis_url: str, worker_class: str
) -> None:
    """`rq worker` needs the settings in its environment, and nothing else."""
    start([*STOCK, redis_url, "--worker-class", worker_class, "sample", "slow"])
    assert [told(asker.answer(asker.task("sample", t)))["loads"] for t in "ab"] == [1, 1]
    assert error_code(asker.answer(asker.task("slow", "x"))) == "timed-out"


def test_a_model_loaded_once_stays_loaded(asker: RqAsker, start: Start) -> None:
    """One process answers all, and had loaded its types before the first."""
    start(WORKER)
    answers = [told(asker.answer(asker.task("sample", text))) for text in "abc"]
    assert [answer["loads"] for answer in answers] == [1, 1, 1]
    assert len({answer["pid"] for answer in answers}) == 1


def test_a_killed_worker_is_replaced_and_its_task_runs_again(
    asker: RqAsker, start: Start, tmp_path: Path
) -> None:
    """At once, not when RQ would notice; progress shows meanwhile."""
    start(WORKER)
    log = tmp_path / "log"
    task = asker.task("gated", str(log))
    asker.ask(task)
    wait_until(lambda: len(begun(log)) == 1, description="it runs", timeout_s=30)
    wait_until(lambda: asker.ask(task).progress == (0.5, "half way"), description="it shows")
    os.kill(begun(log)[0], signal.SIGKILL)
    wait_until(lambda: len(begun(log)) == 2, description="it runs again", timeout_s=30)
    log.with_suffix(".open").touch()
    status = asker.answer(task)
    assert (status.state, status.attempts) == (State.DONE, 2)


def test_a_deadly_task_fails_and_others_are_answered(asker: RqAsker, start: Start) -> None:
    """After its attempts; those behind it run."""
    deadly, other = asker.task("deadly", "x"), asker.task("sample", "y")
    asker.manager.submit([deadly, other])
    start(WORKER)
    assert asker.answer(other).state is State.DONE
    status = asker.answer(deadly)
    assert (error_code(status), status.attempts) == ("crashed", 2)


def told_to_end(client: redis.Redis) -> bool:
    """Whether an RQ worker has heard of it, which its supervisor passes on."""
    workers: list[str] = list(client.scan_iter("rq:worker:*"))
    return any(client.hexists(worker, "shutdown_requested_date") for worker in workers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_after_the_running_task(
    asker: RqAsker, start: Start, tmp_path: Path, client: redis.Redis, number: signal.Signals
) -> None:
    """It is answered, the next one is left to others, and RQ knows of no worker any more."""
    program = start(WORKER)
    log, behind = tmp_path / "log", asker.task("sample", "behind")
    task = asker.task("gated", str(log))
    asker.ask(task)
    wait_until(lambda: begun(log), description="it runs", timeout_s=30)
    asker.ask(behind)
    program.send_signal(number)
    wait_until(lambda: told_to_end(client), description="the RQ worker is told to end")
    log.with_suffix(".open").touch()
    assert program.wait(timeout=20) == 0
    assert (asker.ask(task).state, asker.ask(behind).state) == (State.DONE, State.WAITING)
    assert client.smembers("rq:workers") == set()


def test_what_takes_longer_than_the_grace_waits_again(
    asker: RqAsker, start: Start, tmp_path: Path
) -> None:
    """With its process stopped, this attempt not counted."""
    program = start([*WORKER, "--grace-s", "0.2"])
    log = tmp_path / "log"
    task = asker.task("gated", str(log))
    asker.ask(task)
    wait_until(lambda: begun(log), description="it runs", timeout_s=30)
    program.terminate()
    assert program.wait(timeout=20) == 0
    status = asker.ask(task)
    assert (status.state, status.attempts) == (State.WAITING, 0)


def test_a_type_that_cannot_be_loaded_ends_the_worker(start: Start) -> None:
    """With 1, as in the other queue modes."""
    assert start(WORKER, SAMPLE_NOT_THERE="1").wait(timeout=40) == 1


def test_workers_are_known_again_after_redis_lost_everything(
    asker: RqAsker, start: Start, client: redis.Redis
) -> None:
    """`/load` and RQ's own tools tell of the worker, and forget it when it is gone."""

    def workers() -> int:
        return asker.manager.load(["sample"])[0].workers

    program = start(WORKER, DONEYET_LEASE_S="1")
    first = told(asker.answer(asker.task("sample", "a")))["pid"]
    client.flushall()
    wait_until(lambda: workers() == 1, description="it is known again")
    (known,) = Worker.all(connection=client, serializer=JSONSerializer)
    assert known.pid == first
    assert "sample" in known.queue_names()
    assert told(asker.answer(asker.task("sample", "b")))["pid"] == first
    os.kill(first, signal.SIGKILL)
    assert told(asker.answer(asker.task("sample", "c")))["pid"] != first
    assert workers() == 1
    program.terminate()
    assert program.wait(timeout=20) == 0
    assert workers() == 0


def test_lock_is_refused(settings: Settings) -> None:
    """A setting that would do nothing is not taken."""
    locked = Settings(redis_url=settings.redis_url, queue_mode="rq", lock="gpu")
    with pytest.raises(SettingError, match="--lock"):
        RqSupervisor(locked, load_registry(locked))
